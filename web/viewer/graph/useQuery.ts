// The answer to a query, for as long as a component is on the screen.
import { useEffect, useReducer, useState } from "preact/hooks";

import { GraphError, query } from "./client";
import type { TypedDocumentString } from "./generated";

const RETRY_MS = 3_000;

export interface Answer<R> {
  /** Undefined before the first answer; the last one stays while another is asked for. */
  answer: R | undefined;
  error: GraphError | null;
  again: () => void;
}

/** Asks when the component appears, when a change is told of, and after a fault that passes. */
export function useQuery<R, V>(document: TypedDocumentString<R, V>, variables: V, changes: readonly unknown[]): Answer<R> {
  const [answer, setAnswer] = useState<R>();
  const [error, setError] = useState<GraphError | null>(null);
  const [attempt, again] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const abort = new AbortController();
    let timer: number | undefined;
    query(document, variables, abort.signal).then(
      (found) => {
        setAnswer(() => found);
        setError(null);
      },
      (problem: unknown) => {
        if (!(problem instanceof GraphError)) return; // off the screen meanwhile
        setError(problem);
        if (problem.passes) timer = window.setTimeout(() => again(undefined), RETRY_MS);
      },
    );
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [document, attempt, ...changes]);
  return { answer, error, again: () => again(undefined) };
}
