// A search through the whole job, loaded or not: how many lines it hits, which one is looked at, and where the next one is.
import { GraphError, query } from "../../graph/client";
import { LogCountDocument, type LogFilter, LogSeqsDocument } from "../../graph/generated";

const COUNT_EVERY_MS = 2_000;

export class Hits {
  /** How many lines are hit; null while that is not known. */
  total: number | null = null;
  /** The hit that is looked at, and which one it is, counted from 1. */
  current: number | null = null;
  position: number | null = null;
  isBusy = false;
  error: GraphError | null = null;
  #countedTo = 0;
  #known = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #closing = new AbortController();

  /** `lastSeq` is how far the log is known to go. */
  constructor(
    readonly jobId: string,
    readonly filter: LogFilter,
    lastSeq: number,
    readonly onChange: () => void,
  ) {
    this.#known = lastSeq;
    this.#countOn();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#closing.abort();
  }

  /** Counts what came since, at most every few seconds. */
  refresh(lastSeq: number): void {
    this.#known = Math.max(this.#known, lastSeq);
    if (this.#known === this.#countedTo || (this.error && !this.error.passes)) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (this.isBusy) this.refresh(lastSeq);
      else this.#countOn();
    }, COUNT_EVERY_MS);
  }

  /** Counts up to where the log is known to go, and again later where that fails or the log goes on meanwhile. */
  #countOn(): void {
    void this.#run(() => this.#count(this.#known)).then(() => {
      if (!this.#closing.signal.aborted) this.refresh(this.#known);
    });
  }

  /** Finds the next hit behind a line, after the last one the first; null where there is none. */
  next(seq: number): Promise<number | null> {
    return this.#run(async () => {
      const behind = await this.#seq({ sinceSeq: seq + 1 }, "first");
      return this.#arrive(behind ?? (await this.#seq({}, "first")), seq, behind === null ? null : 1);
    });
  }

  /** Finds the hit before a line, before the first one the last. */
  previous(seq: number): Promise<number | null> {
    return this.#run(async () => {
      const before = await this.#seq({ untilSeq: seq }, "last");
      return this.#arrive(before ?? (await this.#seq({}, "last")), seq, before === null ? null : -1);
    });
  }

  #arrive(found: number | null, from: number, step: number | null): number | null {
    const isNeighbour = from === this.current && step !== null;
    this.position = isNeighbour && this.position !== null ? this.position + step : null;
    this.current = found;
    if (found !== null && this.position === null) void this.#place(found);
    return found;
  }

  /** Finds out which hit it is. */
  async #place(seq: number): Promise<void> {
    const position = await this.#run(() => this.#total({ untilSeq: seq + 1 }));
    if (this.current === seq) this.position = position;
    this.onChange();
  }

  async #seq(bounds: LogFilter, end: "first" | "last"): Promise<number | null> {
    const variables = { jobId: this.jobId, [end]: 1, filter: { ...this.filter, ...bounds } };
    const { job } = await query(LogSeqsDocument, variables, this.#closing.signal);
    return job?.logs.nodes[0]?.seq ?? null;
  }

  async #count(lastSeq: number): Promise<null> {
    const more = await this.#total({ sinceSeq: this.#countedTo + 1, untilSeq: lastSeq + 1 });
    this.total = (this.total ?? 0) + more;
    this.#countedTo = lastSeq;
    return null;
  }

  async #total(bounds: LogFilter): Promise<number> {
    const filter = { ...this.filter, ...bounds };
    const { job } = await query(LogCountDocument, { jobId: this.jobId, filter }, this.#closing.signal);
    return job?.logs.totalCount ?? 0;
  }

  async #run(task: () => Promise<number | null>): Promise<number | null> {
    this.isBusy = true;
    this.onChange();
    try {
      const result = await task();
      this.error = null;
      return result;
    } catch (error) {
      if (!this.#closing.signal.aborted) {
        this.error = error instanceof GraphError ? error : new GraphError("INTERNAL", String(error));
      }
      return null;
    } finally {
      this.isBusy = false;
      this.onChange();
    }
  }
}
