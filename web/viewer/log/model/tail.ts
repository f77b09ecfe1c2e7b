// Follows a job's log from a line on, and says how it stands. Lines are handed over once a frame, however fast they come.
import { follow } from "../../graph/follow";
import { type JobStatus, type LogFilter, type LogTailSubscription, LogTailDocument } from "../../graph/generated";
import type { Line } from "./lineList";

/** `lost`: what is shown may be old, the stream will be asked for again. `ended`: the job has, nothing more comes. */
export type Phase = "connecting" | "live" | "lost" | "ended" | "refused";

export interface TailSink {
  lines(lines: readonly Line[]): void;
  /** The log is known to end so far; asks whether the lines up to there may be left out. */
  maySkipTo(lastSeq: number): boolean;
  changed(): void;
}

type Batch = LogTailSubscription["jobLogs"];

/** So far behind, a reader that can load any part of the log goes on at its end. */
const FAR_BEHIND = 20_000;
/** A hidden page draws no frames, and its lines wait no longer than this. */
const HIDDEN_MS = 250;
const MOST_WAITING = 5_000;
const TICK_MS = 2_000;
/** A clock that jumped so far has slept: whatever the connection says, it may be dead. */
const SLEEP_MS = 10_000;

export class Tail {
  phase: Phase = "connecting";
  /** Why the stream broke off. */
  reason = "";
  jobStatus: JobStatus | null = null;
  /** When the service was last heard. */
  heardAt = Date.now();
  /** How many lines the service has that did not come yet. */
  behind = 0;
  #place: { after: string } | { afterSeq: number };
  #waiting: Line[] = [];
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tick: ReturnType<typeof setInterval> | undefined;
  #ticked = Date.now();
  #stop: () => void = () => undefined;

  constructor(
    readonly jobId: string,
    readonly filter: LogFilter | null,
    readonly sink: TailSink,
    afterSeq: number,
  ) {
    this.#place = { afterSeq };
    this.#tick = setInterval(() => { this.#watchClock(); }, TICK_MS);
    this.#begin();
  }

  /** Asks again where it stopped, as when a job that had ended goes on. */
  resume(): void {
    this.#stop();
    this.#begin();
  }

  close(): void {
    this.#stop();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    clearInterval(this.#tick);
  }

  #begin(): void {
    this.#set("connecting");
    const variables = () => ({ jobId: this.jobId, ...this.#place, filter: this.filter });
    this.#stop = follow(LogTailDocument, variables, {
      next: ({ jobLogs }) => { this.#take(jobLogs); },
      lost: (error) => { this.#set("lost", error.message); },
      error: (error) => { this.#set("refused", error.message); },
      complete: () => { this.#set(this.jobStatus ? "ended" : "lost"); },
    });
  }

  #take(batch: Batch): void {
    this.heardAt = Date.now();
    const last = batch.logs.at(-1)?.seq;
    const lag = last === undefined ? (batch.caughtUp ? 0 : this.behind) : batch.lastSeq - last;
    if (lag > FAR_BEHIND && this.sink.maySkipTo(batch.lastSeq)) {
      this.#skip(batch.lastSeq);
      return;
    }
    this.#place = { after: batch.endCursor };
    this.behind = lag;
    this.jobStatus = batch.jobStatus;
    this.#waiting.push(...batch.logs);
    this.#schedule();
    this.#set(batch.jobStatus ? "ended" : "live");
  }

  #skip(lastSeq: number): void {
    this.#flush();
    this.#place = { afterSeq: lastSeq };
    this.behind = 0;
    this.resume();
  }

  #schedule(): void {
    if (this.#waiting.length > MOST_WAITING) this.#flush();
    else if (document.hidden) this.#timer ??= setTimeout(() => { this.#flush(); }, HIDDEN_MS);
    else this.#frame ||= requestAnimationFrame(() => { this.#flush(); });
  }

  #flush(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#frame = 0;
    this.#timer = undefined;
    const lines = this.#waiting;
    this.#waiting = [];
    if (lines.length > 0) this.sink.lines(lines);
  }

  #watchClock(): void {
    const slept = Date.now() - this.#ticked > SLEEP_MS;
    this.#ticked = Date.now();
    if (slept && (this.phase === "live" || this.phase === "connecting")) {
      this.resume();
      this.#set("lost", "this page was asleep");
    }
  }

  #set(phase: Phase, reason = ""): void {
    this.phase = phase;
    this.reason = reason;
    this.sink.changed();
  }
}
