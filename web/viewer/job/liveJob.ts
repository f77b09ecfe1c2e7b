// A job as it stands, for as long as it is on the screen.
import { useEffect, useReducer, useState } from "preact/hooks";

import { GraphError, query } from "../graph/client";
import { follow } from "../graph/follow";
import { JobDocument, type JobHeadFragment, JobUpdatedDocument } from "../graph/generated";
import { isOver } from "../jobs/JobTable";
import type { Live } from "../ui/Liveness";

export interface LiveJob {
  /** Null while nothing was heard of it. */
  job: JobHeadFragment | null;
  live: Live;
  /** What stands in the way of seeing it. */
  error: GraphError | null;
  retry: () => void;
}

export function useJob(jobId: string): LiveJob {
  const [job, setJob] = useState<JobHeadFragment | null>(null);
  const [error, setError] = useState<GraphError | null>(null);
  const [isLost, setIsLost] = useState(false);
  const [attempt, retry] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const abort = new AbortController();
    const show = (present: JobHeadFragment | null) => {
      setJob((old) => present ?? old);
      setError(null);
    };
    query(JobDocument, { jobId }, abort.signal).then(
      (answer) => show(answer.job),
      (problem: unknown) => {
        if (problem instanceof GraphError) setError(problem);
      },
    );
    // Its first event is the present state, so that each beginning makes good what was missed before.
    const end = follow(JobUpdatedDocument, () => ({ jobId }), {
      next: ({ jobUpdated }) => {
        show(jobUpdated);
        setIsLost(false);
      },
      lost: () => setIsLost(true),
      error: setError,
      complete: () => undefined,
    });
    return () => {
      abort.abort();
      end();
    };
  }, [jobId, attempt]);
  const live = isLost ? "reconnecting" : !job ? "waiting" : isOver(job) ? "finished" : "live";
  return { job, live, error, retry: () => retry(undefined) };
}
