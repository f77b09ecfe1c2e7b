// What went wrong, in words that say what to do.
import type { ComponentChildren } from "preact";

import type { GraphError } from "../graph/errors";
import { forgetToken } from "../graph/token";

const ADVICE: Record<string, { title: string; advice: string }> = {
  UNREACHABLE: {
    title: "The service does not answer",
    advice: "It may be restarting. The page tries again by itself.",
  },
  UNAVAILABLE: {
    title: "The database is away",
    advice: "Lines that jobs say meanwhile wait on their workers' disks. The page tries again by itself.",
  },
  UNAUTHENTICATED: {
    title: "The service wants a token",
    advice: "Ask whoever runs it for one with the scope read, then try again.",
  },
  FORBIDDEN: {
    title: "This token does not reach here",
    advice: "It lacks the scope read, or is for other jobs. Show another one.",
  },
  TOO_COMPLEX: {
    title: "This takes too long to find out",
    advice: "Narrow it down, for instance by time or by a longer text.",
  },
  BAD_INPUT: { title: "The service did not understand the page", advice: "Change the filter, or load the page anew." },
  INTERNAL: {
    title: "Something went wrong in the service",
    advice: "Its own log tells what, under the request's id.",
  },
};

export interface ProblemProps {
  error: GraphError;
  onRetry?: () => void;
  children?: ComponentChildren;
}

export function Problem({ error, onRetry, children }: ProblemProps) {
  const { title, advice } = ADVICE[error.code] ?? { title: "That did not work", advice: "" };
  return (
    <section class="notice" role="alert">
      <h2>{title}</h2>
      <p>{advice}</p>
      <p class="muted">
        {error.message}
        {error.requestId && (
          <>
            {" "}
            (request <code>{error.requestId}</code>)
          </>
        )}
      </p>
      <p class="actions">
        {onRetry && (
          <button type="button" class="button" onClick={onRetry}>
            Try again
          </button>
        )}
        {error.code === "FORBIDDEN" && (
          <button type="button" class="button primary" onClick={showAnotherToken}>
            Show another token
          </button>
        )}
        {children}
      </p>
    </section>
  );
}

/** Everything that was let in by the one that does not do begins anew. */
function showAnotherToken(): void {
  forgetToken();
  location.reload();
}
