// The lines of a job by time and level, asked for anew while they come.
import { useEffect, useRef, useState } from "preact/hooks";

import { connection, query } from "../graph/client";
import { type HistogramQuery, HistogramDocument, type JobHeadFragment, type LogFilter } from "../graph/generated";
import { useObserved } from "../observed";
import type { Selection } from "../selection";

const BUCKETS = 120;
const PACE_MS = 1_500;

export type Bucket = NonNullable<HistogramQuery["job"]>["logHistogram"][number];

/** Those of the selected stage and task, whatever else is selected. */
export function useHistogram(job: JobHeadFragment, { stage, taskId }: Selection): readonly Bucket[] {
  const [buckets, setBuckets] = useState<readonly Bucket[]>([]);
  const last = useRef({ at: 0, about: "" });
  const isLost = useObserved(connection) === "lost";
  const about = JSON.stringify([job.jobId, stage, taskId]);
  useEffect(() => {
    const abort = new AbortController();
    const ask = async () => {
      last.current = { at: Date.now(), about };
      const filter: LogFilter = { ...(stage && { stages: [stage] }), ...(taskId && { taskIds: [taskId] }) };
      const answer = await query(HistogramDocument, { jobId: job.jobId, buckets: BUCKETS, filter }, abort.signal);
      setBuckets(answer.job?.logHistogram ?? []);
    };
    const wait = last.current.about === about ? last.current.at + PACE_MS - Date.now() : 0;
    const timer = setTimeout(() => void ask().catch(() => undefined), Math.max(0, wait)); // the next line asks again, and coming back too
    return () => {
      clearTimeout(timer);
      if (last.current.about !== about) abort.abort();
    };
  }, [about, job.lastSeq, isLost]);
  return buckets;
}
