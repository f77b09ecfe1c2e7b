// What the visitor does in the log of a job: where they are, what they search, mark and unfold.
import { query } from "../graph/client";
import { type JobStatus, type LogFilter, LogSeqsDocument } from "../graph/generated";
import { setHash } from "../routes";
import type { Selection } from "../selection";
import { copyText, MAX_COPIED, textOf, wholeLines } from "./text/copying";
import { filterOf, joined, searchOf } from "./model/lineFilter";
import { type Finder, finder } from "./text/finding";
import { Hits } from "./model/hits";
import type { Line } from "./model/lineList";
import { LogModel } from "./model/logModel";
import { type Align, LogScroll } from "./scroll/logScroll";
import type { Place } from "./model/matchingLog";
import { between, type LineRange, readHash, writeHash } from "./text/permalink";
import type { Phase } from "./model/tail";
import { WholeLog } from "./model/wholeLog";

const CHOOSE = "Choose lines first: click a line number, and another one with Shift";
const FINAL: ReadonlySet<JobStatus> = new Set(["COMPLETED", "FAILED", "CANCELLED"]);

export class Pane {
  readonly scroll: LogScroll;
  model: LogModel;
  hits: Hits | null = null;
  find: Finder | null = null;
  /** The line that the keys act on, by its seq. */
  cursor: number | null = null;
  /** The lines that the address names. */
  range: LineRange | null = null;
  readonly expanded = new Set<number>();
  readonly unfolded = new Set<number>();
  /** The last thing that was done, for the status line. */
  note = "";
  #filter: LogFilter | null = null;
  #asked = "";
  #searched = "";
  #receivedBefore = 0;
  #wasFollowing = false;
  #phase: Phase | null = null;
  #isLost = false;
  /** The line that the address names, once it was said that it is not there any more. */
  #gone: number | null = null;

  constructor(
    readonly jobId: string,
    readonly redraw: () => void,
  ) {
    this.scroll = new LogScroll(() => { this.#scrolled(); });
    this.model = new LogModel(jobId, null, () => undefined);
  }

  /** Shows what is selected. What was being read stays in view if it is among it. */
  select(selection: Selection, lastSeq: number): void {
    const search = searchOf(selection);
    this.#filter = filterOf(selection);
    const shown = joined(this.#filter, selection.onlyMatches ? search : null);
    const asked = JSON.stringify(shown);
    if (asked !== this.#asked) this.#open(shown, this.#place());
    this.#asked = asked;
    const searched = JSON.stringify([this.#filter, search]);
    if (searched !== this.#searched) this.#search(selection, joined(this.#filter, search), lastSeq);
    this.#searched = searched;
  }

  /** Goes to the lines that the address names, if it did not name them before. */
  goToHash(hash: string): void {
    const range = readHash(`#${hash}`);
    if (JSON.stringify(range) === JSON.stringify(this.range)) return;
    this.range = range;
    this.redraw();
    if (!range) return;
    this.cursor = range.from;
    this.#gone = null;
    if (this.model.list) void this.goTo(range.from);
  }

  /** Hears how the job is: one that had ended may go on. */
  learn(status: JobStatus, lastSeq: number): void {
    this.hits?.refresh(lastSeq);
    if (this.model.tail?.phase === "ended" && !FINAL.has(status)) this.model.tail.resume();
  }

  close(): void {
    this.model.close();
    this.hits?.close();
  }

  /** How many lines came since the reader left the end. */
  get missed(): number {
    return this.scroll.isFollowing ? 0 : this.model.received - this.#receivedBefore;
  }

  /** The last of the lines that retention deleted at the beginning, 0 if it did not. */
  get prunedTo(): number {
    return this.model.list instanceof WholeLog ? this.model.list.start - 1 : 0;
  }

  lineAt(slot: number): Line | null {
    const content = this.model.list?.at(slot);
    return typeof content === "object" ? content : null;
  }

  get cursorLine(): Line | null {
    return this.cursor === null ? null : this.lineAt(this.model.list?.slotOf(this.cursor) ?? 0);
  }

  /** Goes to a line or an end of the log, which is loaded if it is not. */
  async goTo(place: Place, align: Align = "center"): Promise<void> {
    if (!this.model.reaches(place) && !(await this.model.open(place))) return;
    const list = this.model.list;
    if (!list) return;
    if (place === "end") this.scroll.follow();
    else if (place === "start") this.scroll.goTo(list.start, "start");
    else {
      const last = this.range?.from === place ? this.range.to : place;
      this.scroll.goTo(list.slotOf(place), align, list.slotOf(last));
    }
    if (typeof place !== "number" || list.has(place)) return;
    this.say(this.prunedTo >= place ? sayGone(place) : `Line ${place} is not among the lines shown`);
  }

  toggleFollowing(): void {
    if (this.scroll.isFollowing) this.scroll.stay();
    else this.toEnd();
  }

  toEnd(): void {
    this.cursor = null;
    void this.goTo("end");
  }

  toStart(): void {
    this.cursor = null;
    void this.goTo("start");
  }

  setCursor(seq: number): void {
    this.cursor = seq;
    this.redraw();
  }

  /** Moves the cursor by lines; from where it was if that is in view, else from the top of what is. */
  move(step: number): void {
    const list = this.model.list;
    if (!list || list.end === list.start) return;
    let slot = this.#cursorSlot(step) + step;
    for (let hole = list.holeAt(slot); hole; hole = list.holeAt(slot)) slot = step > 0 ? hole.to + 1 : hole.from - 1;
    slot = Math.min(Math.max(slot, list.start), list.end - 1);
    this.cursor = this.lineAt(slot)?.seq ?? this.cursor;
    if (slot === list.end - 1 && step > 0) void this.goTo("end");
    else this.scroll.goTo(slot, "nearest");
  }

  #cursorSlot(step: number): number {
    const { firstSeen, lastSeen } = this.scroll;
    const slot = this.cursor === null ? null : (this.model.list?.slotOf(this.cursor) ?? null);
    if (slot !== null && slot >= firstSeen - 1 && slot <= lastSeen + 1) return slot;
    return step > 0 ? firstSeen - 1 : lastSeen + 1;
  }

  /** The line from which the next one of a kind is looked for. */
  #here(step: number): number {
    if (this.cursor !== null) return this.cursor;
    const line = this.lineAt(step > 0 ? this.scroll.firstSeen : this.scroll.lastSeen);
    return line ? line.seq - step : step > 0 ? 0 : Number.MAX_SAFE_INTEGER;
  }

  async nextHit(step: 1 | -1): Promise<void> {
    const hits = this.hits;
    if (!hits) return;
    const from = this.#here(step);
    const found = await (step > 0 ? hits.next(from) : hits.previous(from));
    if (found === null || hits !== this.hits) return;
    this.cursor = found;
    await this.goTo(found);
  }

  async nextError(step: 1 | -1): Promise<void> {
    const from = this.#here(step);
    const bounds = step > 0 ? { sinceSeq: from + 1 } : { untilSeq: from };
    const filter = { ...this.#filter, minLevel: "ERROR" as const, ...bounds };
    const end = step > 0 ? { first: 1 } : { last: 1 };
    const { job } = await query(LogSeqsDocument, { jobId: this.jobId, ...end, filter });
    const found = job?.logs.nodes[0]?.seq;
    this.say(found === undefined ? `No error ${step > 0 ? "below" : "above"}` : `Error in line ${found}`);
    if (found === undefined) return;
    this.cursor = found;
    await this.goTo(found);
  }

  /** Marks lines, and names them in the address. */
  mark(range: LineRange, cursor: number): void {
    this.range = range;
    this.cursor = cursor;
    setHash(writeHash(range).slice(1));
    this.redraw();
  }

  async copyLink(): Promise<void> {
    const range = this.chosen;
    if (!range) {
      this.say(CHOOSE);
      return;
    }
    await copyText(new URL(writeHash(range), location.href).href);
    this.say(`Copied a link to ${range.from === range.to ? "line" : "lines"} ${writeHash(range).slice(1)}`);
  }

  toggle(which: "expanded" | "unfolded", seq: number): void {
    const set = this[which];
    if (!set.delete(seq)) set.add(seq);
    this.redraw();
  }

  /** The lines that were marked, or the one that the cursor is at. */
  get chosen(): LineRange | null {
    if (this.range) return this.range;
    return this.cursor === null ? null : between(this.cursor, this.cursor);
  }

  async copy(hasPrefix: boolean): Promise<void> {
    const range = this.chosen;
    if (!range) {
      this.say(CHOOSE);
      return;
    }
    const lines = await wholeLines(this.jobId, range, this.model.filter);
    await copyText(lines.map((line) => textOf(line, hasPrefix)).join("\n"));
    const isCut = lines.length === MAX_COPIED && range.to - range.from >= MAX_COPIED;
    this.say(`Copied ${sayLines(lines.length)}${isCut ? ", the most at a time; download the log for more" : ""}`);
  }

  say(note: string): void {
    this.note = note;
    this.redraw();
  }

  #place(): Place {
    if (this.model.list === null) return this.range?.from ?? "end";
    if (this.scroll.isFollowing) return "end";
    const slot = this.cursor === null ? -Infinity : this.model.list.slotOf(this.cursor);
    const isSeen = slot >= this.scroll.firstSeen && slot <= this.scroll.lastSeen;
    return isSeen ? (this.cursor ?? "end") : (this.lineAt(this.scroll.firstSeen)?.seq ?? "end");
  }

  #open(filter: LogFilter | null, place: Place): void {
    this.model.close();
    const model = new LogModel(this.jobId, filter, () => {
      if (model === this.model) this.#changed();
    });
    this.model = model;
    this.#phase = null;
    this.#receivedBefore = 0;
    void model.open(place).then((isOpen) => {
      if (isOpen && model === this.model) void this.goTo(place, place === this.cursor ? "center" : "start");
    });
  }

  #search(selection: Selection, filter: LogFilter | null, lastSeq: number): void {
    this.hits?.close();
    this.find = selection.search ? finder(selection.search, selection.regex ?? false) : null;
    this.hits = selection.search && filter ? new Hits(this.jobId, filter, lastSeq, this.redraw) : null;
  }

  #changed(): void {
    const { list, tail } = this.model;
    const target = this.range?.from ?? 0;
    if (list?.holeAt(target) && this.#gone !== target) {
      this.#gone = target;
      this.note = sayGone(target);
    }
    if (tail && tail.phase !== this.#phase) this.#heard(this.#phase, tail.phase);
    if (list) this.scroll.show(list);
    else this.redraw();
  }

  /** Says what a reader who does not look at the page must know. */
  #heard(before: Phase | null, phase: Phase): void {
    if (phase === "lost") this.note = "Connection lost: what is shown may be old";
    else if (phase === "live" && this.#isLost) this.note = "Connected again";
    else if (phase === "ended" && before === "live") this.note = "The job has ended";
    this.#isLost = phase === "lost" || (this.#isLost && phase !== "live");
    this.#phase = phase;
  }

  #scrolled(): void {
    const { isFollowing } = this.scroll;
    if (this.#wasFollowing !== isFollowing) this.#receivedBefore = this.model.received;
    this.#wasFollowing = isFollowing;
    this.redraw();
  }
}

function sayGone(seq: number): string {
  return `Line ${seq.toLocaleString("en")} was deleted by retention`;
}

export function sayLines(count: number): string {
  return `${count.toLocaleString("en")} ${count === 1 ? "line" : "lines"}`;
}
