// The page's way to the API: queries by POST, subscriptions by one websocket that is opened when it is needed.
import { createClient } from "graphql-ws";

import { learnTime } from "../clock";
import { type Observed, State } from "../observed";
import { type AnsweredError, GraphError, answeredError, unreachable } from "./errors";
import { marked, parsed, unmarked, withNumbers, written } from "./exactJson";
import type { TypedDocumentString } from "./generated";
import { askForToken, currentToken } from "./token";

export { GraphError } from "./errors";

const ADDRESS = "/graphql";
const PING_EVERY_MS = 4_000;
/** With the interval above: how long a dead peer may go unnoticed. */
const PONG_WITHIN_MS = 4_000;
const FORBIDDEN = 4403;

export type Connection = "connecting" | "open" | "lost";

export interface Sink<R> {
  next(value: R): void;
  /** The stream is over: a GraphError, UNREACHABLE if the connection was lost. */
  error(error: GraphError): void;
  complete(): void;
}

/** How the websocket stands. `lost` lasts until it is open again. */
const state = new State<Connection>("connecting");
export const connection: Observed<Connection> = state;

/**
 * Asks, and where the service wants a token the visitor too.
 *
 * @throws GraphError, or the signal's reason.
 */
export async function query<R, V>(
  document: TypedDocumentString<R, V>,
  variables: V,
  signal?: AbortSignal,
): Promise<R> {
  const token = currentToken();
  try {
    return await post<R>(document.toString(), variables, token, signal);
  } catch (error) {
    if (!(error instanceof GraphError) || error.code !== "UNAUTHENTICATED") throw error;
    if ((await askForToken(token)) === null) throw error;
    return query(document, variables, signal);
  }
}

async function post<R>(text: string, variables: unknown, token: string | null, signal?: AbortSignal): Promise<R> {
  const answer = await fetched(text, variables, token, signal);
  const requestId = answer.headers.get("x-request-id") ?? undefined;
  let body: { data?: R | null; errors?: AnsweredError[] };
  try {
    body = parsed(await answer.text()) as typeof body;
  } catch {
    signal?.throwIfAborted();
    throw new GraphError("UNAVAILABLE", `the answer is no JSON (status ${answer.status})`, requestId);
  }
  if (body.errors?.length) throw answeredError(body.errors, requestId);
  if (!body.data) throw new GraphError("INTERNAL", "the answer holds no data", requestId);
  return body.data;
}

async function fetched(text: string, variables: unknown, token: string | null, signal?: AbortSignal): Promise<Response> {
  const askedAt = Date.now();
  try {
    const answer = await fetch(ADDRESS, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      body: written({ query: text, variables }),
      signal: signal ?? null,
    });
    learnTime(answer.headers.get("date"), askedAt);
    return answer;
  } catch {
    signal?.throwIfAborted();
    throw unreachable();
  }
}

/** A websocket whose messages keep their numbers; graphql-ws reads and writes JSON by itself. */
class ExactSocket extends WebSocket {
  override set onmessage(listener: ((event: MessageEvent) => unknown) | null) {
    super.onmessage = listener && ((event) => listener(new MessageEvent("message", { data: marked(event.data as string) })));
  }

  override get onmessage() {
    return super.onmessage;
  }

  override send(text: string): void {
    super.send(withNumbers(text));
  }
}

let pongTimer: number | undefined;
/** The token that the connection was asked for with. */
let shownToken: string | null = null;

const client = createClient({
  url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${ADDRESS}`,
  webSocketImpl: ExactSocket,
  retryAttempts: 0, // the subscriber knows the cursor to resume after, see follow.ts
  keepAlive: PING_EVERY_MS,
  lazyCloseTimeout: 3_000, // a page's change from one job to the next keeps it
  connectionParams: () => {
    shownToken = currentToken();
    return shownToken === null ? {} : { authorization: `Bearer ${shownToken}` };
  },
  on: {
    connected: () => {
      state.set("open");
    },
    ping: (isReceived) => {
      if (!isReceived) pongTimer = window.setTimeout(() => client.terminate(), PONG_WITHIN_MS);
    },
    pong: (isReceived) => {
      if (isReceived) clearTimeout(pongTimer);
    },
    closed: (event) => {
      clearTimeout(pongTimer);
      const wasMeant = (event as CloseEvent).code === 1000;
      state.set(wasMeant ? "connecting" : "lost");
    },
  },
});

/** Subscribes. A lost connection ends it with an error: subscribe again behind the last cursor. Returns what ends it. */
export function subscribe<R, V>(document: TypedDocumentString<R, V>, variables: V, sink: Sink<R>): () => void {
  let isOver = false;
  const end = (tell: () => void) => {
    if (!isOver) tell();
    isOver = true;
  };
  const stop = client.subscribe<R>(
    { query: document.toString(), variables: variables as Record<string, unknown> },
    {
      next: ({ data, errors }) => {
        if (isOver) return;
        if (errors?.length) {
          end(() => sink.error(answeredError(errors)));
          stop();
        } else if (data) {
          sink.next(unmarked(data) as R);
        }
      },
      error: (problem) => { end(() => sink.error(asGraphError(problem))); },
      complete: () => { end(() => sink.complete()); },
    },
  );
  return () => {
    isOver = true;
    stop();
  };
}

/** Asks for another token than the one that the websocket was refused with. */
export function askForSocketToken(): Promise<string | null> {
  return askForToken(shownToken);
}

function asGraphError(problem: unknown): GraphError {
  if (Array.isArray(problem)) return answeredError(problem as AnsweredError[]);
  if (problem instanceof CloseEvent && problem.code === FORBIDDEN) {
    return new GraphError("UNAUTHENTICATED", problem.reason || "the service wants a valid token");
  }
  return unreachable();
}

