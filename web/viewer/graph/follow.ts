// Keeps a subscription for as long as it is wanted: a lost connection is waited for, a missing token asked for.
import { GraphError, type Sink, askForSocketToken, subscribe } from "./client";
import type { TypedDocumentString } from "./generated";

const FIRST_WAIT_MS = 300;
const LONGEST_WAIT_MS = 5_000;

export interface FollowSink<R> extends Sink<R> {
  /** The stream broke off and will be asked for again: what is on the screen may be old. */
  lost(error: GraphError): void;
}

/**
 * Subscribes, and does so again whenever the stream breaks off: with variables that are asked for each time, so that a
 * cursor goes on where it was. `error` hears of what will not pass by itself. Returns what ends it.
 */
export function follow<R, V>(document: TypedDocumentString<R, V>, variables: () => V, sink: FollowSink<R>): () => void {
  let stop: () => void = () => undefined;
  let timer: number | undefined;
  let waitMs = FIRST_WAIT_MS;
  let isOver = false;

  function begin(): void {
    if (isOver) return;
    clearTimeout(timer);
    stop = subscribe(document, variables(), {
      next: (value) => {
        waitMs = FIRST_WAIT_MS;
        sink.next(value);
      },
      error: (error) => void broken(error),
      complete: () => {
        end();
        sink.complete();
      },
    });
  }

  async function broken(error: GraphError): Promise<void> {
    if (isOver) return;
    if (error.code === "UNAUTHENTICATED" && (await askForSocketToken()) !== null) {
      begin();
    } else if (error.passes) {
      timer = window.setTimeout(begin, waitMs * (0.75 + Math.random() / 2)); // not all pages at once
      waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
      sink.lost(error);
    } else {
      end();
      sink.error(error);
    }
  }

  function end(): void {
    isOver = true;
    clearTimeout(timer);
    stop();
  }

  begin();
  return end;
}
