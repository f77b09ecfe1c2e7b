// All lines of a job: a line's slot is its seq, so any part of the log is loaded by itself. Keeps the pages that were looked
// at last.
import { type Content, type Line, type LineList, type ListEvents, type LoadPage, RETRY_MS } from "./lineList";
import type { LineRange } from "../text/permalink";
import { Ranges } from "./ranges";

export const PAGE = 200;
export const MAX_PAGES = 100;

type Page = (Line | undefined)[];

export class WholeLog implements LineList {
  readonly isAtEnd = true;
  start: number;
  end: number;
  /** In the order in which they were looked at. */
  readonly #pages = new Map<number, Page>();
  readonly #holes = new Ranges();
  #newHoles: LineRange[] = [];
  readonly #loading = new Map<number, AbortController>();
  #seen = { from: 0, to: 0 };
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** Closed, or refused what no second try will get. */
  #isStopped = false;

  /** `oldest` is the first line that there is: what comes before it was pruned. */
  constructor(
    readonly load: LoadPage,
    readonly events: ListEvents,
    oldest: number,
    lastSeq: number,
  ) {
    this.start = oldest;
    this.end = Math.max(lastSeq + 1, oldest);
  }

  at(slot: number): Content {
    const line = this.#pages.get(pageOf(slot))?.[slot % PAGE];
    return line ?? (this.#holes.find(slot) ? "pruned" : "loading");
  }

  holeAt(slot: number): LineRange | null {
    return this.#holes.find(slot);
  }

  takeHoles(): LineRange[] {
    const holes = this.#newHoles;
    this.#newHoles = [];
    return holes;
  }

  slotOf(seq: number): number {
    return Math.min(Math.max(seq, this.start), Math.max(this.end - 1, this.start));
  }

  has(seq: number): boolean {
    return seq >= this.start && seq < this.end;
  }

  look(from: number, to: number): void {
    this.#seen = { from: Math.max(from, this.start), to: Math.min(to, this.end) };
    this.#abortUnseen();
    this.#fill();
  }

  append(lines: readonly Line[]): void {
    for (const line of lines) {
      this.#put(line.seq, line);
      this.end = Math.max(this.end, line.seq + 1);
    }
    this.#evict();
    this.events.changed();
  }

  /** Lets the log end later although the lines up to there have not come: they are loaded when they are looked at. */
  skipTo(lastSeq: number): void {
    this.end = Math.max(this.end, lastSeq + 1);
    this.events.changed();
  }

  close(): void {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    for (const controller of this.#loading.values()) controller.abort();
  }

  /** The pages that are looked at, and half a page on either side. */
  #wanted(): number[] {
    const { from, to } = this.#seen;
    if (to <= from) return [];
    const first = pageOf(Math.max(from - PAGE / 2, this.start));
    const last = pageOf(Math.min(to - 1 + PAGE / 2, this.end - 1));
    return range(first, last).filter((page) => (this.#holes.find(page * PAGE)?.to ?? 0) < (page + 1) * PAGE - 1);
  }

  #abortUnseen(): void {
    const wanted = new Set(this.#wanted());
    for (const [page, controller] of this.#loading) if (!wanted.has(page)) controller.abort();
  }

  #fill(): void {
    if (this.#isStopped) return;
    for (const number of this.#wanted()) {
      const page = this.#pages.get(number);
      if (page) {
        this.#pages.delete(number);
        this.#pages.set(number, page); // the newest again
      }
      const first = Math.max(number * PAGE, this.start);
      const last = Math.min((number + 1) * PAGE, this.end) - 1;
      const missing = range(first, last).filter((seq) => this.at(seq) === "loading");
      const [from, to] = [missing[0], missing.at(-1)];
      if (from !== undefined && to !== undefined && !this.#loading.has(number)) void this.#loadPage(number, from, to);
    }
  }

  async #loadPage(number: number, from: number, to: number): Promise<void> {
    const controller = new AbortController();
    this.#loading.set(number, controller);
    try {
      // Without an end: behind a hole the first line that is left tells how long it is.
      const { lines, hasNext } = await this.load({ first: to - from + 1, sinceSeq: from }, controller.signal);
      controller.signal.throwIfAborted();
      const isHole = (lines[0]?.seq ?? Infinity) > from;
      if (isHole) await this.#findHoleBefore(from, controller.signal);
      this.#take(lines, from, hasNext ? 0 : to);
      this.events.loaded();
    } catch (error) {
      if (!controller.signal.aborted) this.#failed(error);
      return;
    } finally {
      this.#loading.delete(number);
    }
    this.#evict();
    this.events.changed();
    this.#fill();
  }

  /** Finds where the hole begins that a line is in: however long it is, it is known at once. */
  async #findHoleBefore(seq: number, signal: AbortSignal): Promise<void> {
    const { lines } = await this.load({ last: 1, untilSeq: seq }, signal);
    signal.throwIfAborted();
    this.#addHole(Math.max((lines.at(-1)?.seq ?? 0) + 1, this.start), seq - 1);
  }

  /** Takes the lines that there are from a place on, and at least up to another. What is not among them was pruned. */
  #take(lines: readonly Line[], from: number, to: number): void {
    let next = from;
    for (const line of lines) {
      this.#addHole(next, line.seq - 1);
      this.#put(line.seq, line);
      next = line.seq + 1;
    }
    this.#addHole(next, to);
  }

  #addHole(from: number, to: number): void {
    if (from <= to) this.#newHoles.push(this.#holes.add({ from, to }));
  }

  #failed(error: unknown): void {
    this.#isStopped = !this.events.failed(error);
    clearTimeout(this.#retry);
    if (!this.#isStopped) this.#retry = setTimeout(() => { this.#fill(); }, RETRY_MS);
  }

  #put(seq: number, line: Line): void {
    const number = pageOf(seq);
    let page = this.#pages.get(number);
    if (!page) this.#pages.set(number, (page = []));
    page[seq % PAGE] = line;
  }

  #evict(): void {
    if (this.#pages.size <= MAX_PAGES) return;
    const wanted = new Set(this.#wanted());
    for (const number of this.#pages.keys()) {
      if (this.#pages.size <= MAX_PAGES) return;
      if (!wanted.has(number)) this.#pages.delete(number);
    }
  }
}

function pageOf(seq: number): number {
  return Math.floor(seq / PAGE);
}

function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(last - first + 1, 0) }, (_, index) => first + index);
}
