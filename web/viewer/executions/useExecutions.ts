// The newest executions, asked for anew when a job starts or ends.
import { useEffect, useState } from "preact/hooks";

import { GraphError, connection, query } from "../graph/client";
import { follow } from "../graph/follow";
import { type ExecutionRowFragment, ExecutionsDocument, JobStatesDocument } from "../graph/generated";

const PAUSE_MS = 1_000;
const RETRY_MS = 3_000;

export interface ExecutionsState {
  executions: readonly ExecutionRowFragment[];
  /** Null before the first answer. */
  totalCount: number | null;
  error: GraphError | null;
}

/** `scheduleId`: only those of this schedule; null asks for none, undefined for those of all. */
export function useExecutions(first: number, scheduleId?: string | null): ExecutionsState {
  const [state, setState] = useState<ExecutionsState>({ executions: [], totalCount: null, error: null });
  useEffect(() => {
    if (scheduleId === null) return;
    const abort = new AbortController();
    let timer: number | undefined;
    const askIn = (ms: number) => {
      timer ??= window.setTimeout(() => {
        timer = undefined;
        void ask();
      }, ms);
    };
    const ask = async () => {
      try {
        const { executions } = await query(ExecutionsDocument, { first, scheduleId: scheduleId ?? null }, abort.signal);
        setState({ executions: executions.nodes, totalCount: executions.totalCount, error: null });
      } catch (error) {
        if (!(error instanceof GraphError)) return; // off the screen meanwhile
        setState((old) => ({ ...old, error }));
        if (error.passes) askIn(RETRY_MS);
      }
    };
    void ask();
    const statuses = new Map<string, string>();
    const endFollowing = follow(JobStatesDocument, () => ({}), {
      next: ({ jobsUpdated: { jobId, status } }) => {
        if (statuses.get(jobId) !== status) askIn(PAUSE_MS);
        statuses.set(jobId, status);
      },
      lost: () => undefined,
      error: (error) => setState((old) => ({ ...old, error })),
      complete: () => undefined,
    });
    const endHearing = connection.subscribe((now) => {
      if (now === "open") askIn(PAUSE_MS);
    });
    return () => {
      abort.abort();
      clearTimeout(timer);
      endFollowing();
      endHearing();
    };
  }, [first, scheduleId]);
  return state;
}
