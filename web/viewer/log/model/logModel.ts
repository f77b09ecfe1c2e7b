// The lines of a job that are to be shown: what is loaded of them, and what comes.
import { GraphError, query } from "../../graph/client";
import { LogCountDocument, LogEndsDocument, type LogFilter, LogPageDocument } from "../../graph/generated";
import { type Line, type LinePage, type LineList, type ListEvents, type LoadPage, type PageRequest, RETRY_MS } from "./lineList";
import { MatchingLog, type Place } from "./matchingLog";
import { Tail } from "./tail";
import { PAGE, WholeLog } from "./wholeLog";

export class LogModel implements ListEvents {
  list: LineList | null = null;
  tail: Tail | null = null;
  /** How many lines match; null while that is not known. */
  total: number | null = null;
  /** Why lines cannot be loaded. */
  error: GraphError | null = null;
  /** How many lines have come in all, to tell how many since. */
  received = 0;
  /** So far the log went when it was opened: what comes behind it is live. */
  #openedAt = 0;
  readonly #closing = new AbortController();
  #opening: AbortController | null = null;

  /** A filter of null shows all lines. */
  constructor(
    readonly jobId: string,
    readonly filter: LogFilter | null,
    readonly onChange: () => void,
  ) {}

  /** Loads the lines around a place, and follows the log from there on. Tells whether it came to that. */
  async open(place: Place): Promise<boolean> {
    this.#opening?.abort();
    const opening = new AbortController();
    this.#opening = opening;
    const signal = AbortSignal.any([opening.signal, this.#closing.signal]);
    for (;;) {
      try {
        const list = await (this.filter ? this.#openMatching(place, signal) : this.#openWhole(signal));
        signal.throwIfAborted();
        this.#show(list);
        return true;
      } catch (error) {
        if (signal.aborted || !this.failed(error)) return false;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  #show(list: LineList): void {
    this.list?.close();
    this.list = list;
    this.error = null;
    this.tail ??= new Tail(this.jobId, this.filter, this, this.#openedAt);
    this.onChange();
  }

  /** Whether a line can be gone to in what is loaded or loads by itself. */
  reaches(place: Place): boolean {
    if (!(this.list instanceof MatchingLog)) return this.list !== null;
    if (place === "start") return this.list.isAtStart;
    return place === "end" ? this.list.isAtEnd : this.list.covers(place);
  }

  close(): void {
    this.#closing.abort();
    this.list?.close();
    this.tail?.close();
  }

  async #openWhole(signal: AbortSignal): Promise<WholeLog> {
    const { job } = await query(LogEndsDocument, { jobId: this.jobId, last: PAGE }, signal);
    const lastSeq = job?.lastSeq ?? 0;
    this.#openedAt = lastSeq;
    this.total = lastSeq;
    const log = new WholeLog(this.load, this, job?.oldest.nodes[0]?.seq ?? lastSeq + 1, lastSeq);
    log.append(job?.newest.nodes.filter(({ seq }) => seq <= lastSeq) ?? []);
    return log;
  }

  async #openMatching(place: Place, signal: AbortSignal): Promise<MatchingLog> {
    if (this.total === null) {
      const { job } = await query(LogPageDocument, { jobId: this.jobId, first: 0 }, signal);
      this.#openedAt = job?.lastSeq ?? 0;
      void this.#count(signal);
    }
    return MatchingLog.open(this.load, this, place, signal);
  }

  async #count(signal: AbortSignal): Promise<void> {
    const filter = { ...this.filter, untilSeq: this.#openedAt + 1 };
    try {
      const { job } = await query(LogCountDocument, { jobId: this.jobId, filter }, signal);
      this.total = (job?.logs.totalCount ?? 0) + this.received;
      this.onChange();
    } catch (error) {
      if (!signal.aborted) this.failed(error);
    }
  }

  load: LoadPage = async ({ first, last, ...bounds }: PageRequest, signal): Promise<LinePage> => {
    const filter = { ...this.filter, ...bounds };
    const variables = { jobId: this.jobId, first: first ?? null, last: last ?? null, filter };
    const { job } = await query(LogPageDocument, variables, AbortSignal.any([signal, this.#closing.signal]));
    const page = job?.logs;
    return {
      lines: page?.nodes ?? [],
      hasNext: page?.pageInfo.hasNextPage ?? false,
      hasPrevious: page?.pageInfo.hasPreviousPage ?? false,
    };
  };

  // What the list says.

  changed(): void {
    this.onChange();
  }

  loaded(): void {
    this.error = null;
  }

  failed(error: unknown): boolean {
    this.error = error instanceof GraphError ? error : new GraphError("INTERNAL", String(error));
    this.onChange();
    return this.error.passes;
  }

  // What the tail says.

  lines(lines: readonly Line[]): void {
    this.received += lines.length;
    if (this.total !== null) this.total += lines.length;
    this.list?.append(lines);
  }

  maySkipTo(lastSeq: number): boolean {
    if (!(this.list instanceof WholeLog)) return false;
    this.received += lastSeq + 1 - this.list.end;
    this.total = lastSeq;
    this.list.skipTo(lastSeq);
    return true;
  }
}
