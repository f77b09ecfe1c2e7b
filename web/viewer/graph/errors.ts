// What goes wrong between the page and the API, with the API's codes and one of our own for a peer that does not answer.

export class GraphError extends Error {
  constructor(
    /** UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_INPUT, TOO_COMPLEX, UNAVAILABLE, INTERNAL, or UNREACHABLE. */
    readonly code: string,
    message: string,
    readonly requestId?: string,
  ) {
    super(message);
    this.name = "GraphError";
  }

  /** Whether the same request may do better in a moment. */
  get passes(): boolean {
    return this.code === "UNREACHABLE" || this.code === "UNAVAILABLE";
  }
}

export interface AnsweredError {
  message: string;
  extensions?: { code?: unknown; requestId?: unknown };
}

/** The first error of an answer. */
export function answeredError(errors: readonly AnsweredError[], requestId?: string): GraphError {
  const first = errors[0];
  const code = first?.extensions?.code;
  const id = first?.extensions?.requestId;
  return new GraphError(
    typeof code === "string" ? code : "BAD_INPUT",
    first?.message ?? "the answer is an error that says nothing",
    typeof id === "string" ? id : requestId,
  );
}

export function unreachable(): GraphError {
  return new GraphError("UNREACHABLE", "the service does not answer");
}
