// The lines of a job that match a filter: a part of them without gaps, which grows at either end as one comes near it.
// Where a matching line stands among all of them is not known, so slots are counted from where the part began.
import { type Content, type Line, type LineList, type ListEvents, type LoadPage, RETRY_MS } from "./lineList";

export const PIECE = 300;
/** So many lines are kept; beyond it those at the far end go. */
export const MAX_LINES = 15_000;
const NEAR = 100;

/** Where to begin: at an end of the log, or around a line. */
export type Place = "start" | "end" | number;

export class MatchingLog implements LineList {
  start = 0;
  end = 0;
  isAtEnd = false;
  isAtStart = false;
  #lines: Line[] = [];
  #seen = { from: 0, to: 0 };
  /** The newest line that was heard of, whether it is kept or not. */
  #newest = 0;
  readonly #loading = new Map<"before" | "behind", AbortController>();
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** Closed, or refused what no second try will get. */
  #isStopped = false;

  private constructor(
    readonly load: LoadPage,
    readonly events: ListEvents,
  ) {}

  static async open(load: LoadPage, events: ListEvents, place: Place, signal: AbortSignal): Promise<MatchingLog> {
    const log = new MatchingLog(load, events);
    const [before, behind] = await Promise.all([
      place === "start" ? null : load(place === "end" ? { last: PIECE } : { last: PIECE, untilSeq: place }, signal),
      place === "end" ? null : load(place === "start" ? { first: PIECE } : { first: PIECE, sinceSeq: place }, signal),
    ]);
    log.#lines = [...(before?.lines ?? []), ...(behind?.lines ?? [])];
    log.#newest = log.#lines.at(-1)?.seq ?? 0;
    log.start = -(before?.lines.length ?? 0);
    log.end = log.start + log.#lines.length;
    log.isAtStart = !before?.hasPrevious;
    log.isAtEnd = !behind?.hasNext;
    return log;
  }

  at(slot: number): Content {
    return this.#lines[slot - this.start] ?? "loading";
  }

  slotOf(seq: number): number {
    let low = 0;
    let high = this.#lines.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#lines[middle]?.seq ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return this.start + Math.min(low, Math.max(this.#lines.length - 1, 0));
  }

  has(seq: number): boolean {
    return this.#lines[this.slotOf(seq) - this.start]?.seq === seq;
  }

  /** What was pruned does not match. */
  holeAt(): null {
    return null;
  }

  takeHoles(): [] {
    return [];
  }

  /** Whether a line, if it matches, is among those that are here. */
  covers(seq: number): boolean {
    const [first, last] = [this.#lines[0]?.seq ?? Infinity, this.#lines.at(-1)?.seq ?? 0];
    return (first <= seq || this.isAtStart) && (seq <= last || this.isAtEnd);
  }

  look(from: number, to: number): void {
    this.#seen = { from, to };
    this.#grow();
  }

  append(lines: readonly Line[]): void {
    this.#newest = Math.max(this.#newest, lines.at(-1)?.seq ?? 0);
    if (this.isAtEnd) {
      const last = this.#lines.at(-1)?.seq ?? 0;
      const added = lines.filter((line) => line.seq > last);
      this.#lines.push(...added);
      this.end += added.length;
      this.#trim();
    }
    this.events.changed();
  }

  close(): void {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    for (const controller of this.#loading.values()) controller.abort();
  }

  #grow(): void {
    if (this.#isStopped) return;
    if (!this.isAtStart && this.#seen.from < this.start + NEAR) void this.#load("before");
    if (!this.isAtEnd && this.#seen.to > this.end - NEAR) void this.#load("behind");
  }

  async #load(side: "before" | "behind"): Promise<void> {
    if (this.#loading.has(side)) return;
    const controller = new AbortController();
    this.#loading.set(side, controller);
    try {
      const place = side === "before" ? { last: PIECE, ...this.#until() } : { first: PIECE, ...this.#since() };
      const page = await this.load(place, controller.signal);
      controller.signal.throwIfAborted();
      if (side === "before") this.#prepend(page.lines, page.hasPrevious);
      else this.#extend(page.lines, page.hasNext);
      this.events.loaded();
    } catch (error) {
      if (!controller.signal.aborted) this.#failed(error);
      return;
    } finally {
      this.#loading.delete(side);
    }
    this.#trim();
    this.events.changed();
    this.#grow();
  }

  #until(): { untilSeq?: number } {
    const first = this.#lines[0];
    return first ? { untilSeq: first.seq } : {};
  }

  #since(): { sinceSeq?: number } {
    const last = this.#lines.at(-1);
    return last ? { sinceSeq: last.seq + 1 } : {};
  }

  #prepend(lines: readonly Line[], hasMore: boolean): void {
    this.#lines.unshift(...lines);
    this.start -= lines.length;
    this.isAtStart = !hasMore;
  }

  #extend(lines: readonly Line[], hasMore: boolean): void {
    this.#lines.push(...lines);
    this.end += lines.length;
    // What was captured while the page was on its way was passed over: it is loaded, too.
    this.isAtEnd = !hasMore && (this.#lines.at(-1)?.seq ?? 0) >= this.#newest;
  }

  #failed(error: unknown): void {
    this.#isStopped = !this.events.failed(error);
    clearTimeout(this.#retry);
    if (!this.#isStopped) this.#retry = setTimeout(() => { this.#grow(); }, RETRY_MS);
  }

  /** Takes lines away at the end that is farther from what is looked at. */
  #trim(): void {
    const surplus = this.#lines.length - MAX_LINES;
    if (surplus <= 0) return;
    const isNearStart = this.#seen.from - this.start < this.end - this.#seen.to;
    if (isNearStart) {
      this.#lines.length -= surplus;
      this.end -= surplus;
      this.isAtEnd = false;
    } else {
      this.#lines.splice(0, surplus);
      this.start += surplus;
      this.isAtStart = false;
    }
  }
}
