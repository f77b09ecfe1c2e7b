// Where the log is scrolled to, and which lines are to be drawn. What is being read stays where it is, whatever is loaded,
// captured, folded or measured above it and below.
import { Heights } from "./heights";
import type { LineList } from "../model/lineList";
import { ScrollRange } from "./scrollRange";

export type Align = "start" | "center" | "nearest";

/** Pixels that are drawn above and below what is seen: the browser scrolls before we hear of it. */
const OVERSCAN = 500;
const REST_MS = 150;
/** Nearer to a place than this is there. */
const NEAR = 2;

export class LogScroll {
  /** The slots that are to be drawn, and where the first of them is, in pixels of the scrolled element. */
  drawn = { from: 0, to: 0, top: 0 };
  isFollowing = false;
  list: LineList | null = null;
  #heights = new Heights(20);
  readonly #range = new ScrollRange();
  readonly #onChange: () => void;
  #scroller: HTMLElement | null = null;
  #canvas: HTMLElement | null = null;
  #seen = 0;
  #width = 0;
  /** A line that was gone to stays in place until the reader scrolls. */
  #pinned: { slot: number; last: number; align: Align } | null = null;
  #resting: ReturnType<typeof setTimeout> | undefined;
  readonly #rows = new ResizeObserver((entries) => { this.#measured(entries); });

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Takes the element that scrolls and the one in it that is as high as the log. Returns what lets go of them. */
  attach(scroller: HTMLElement, canvas: HTMLElement): () => void {
    this.#scroller = scroller;
    this.#canvas = canvas;
    this.#heights.row = parseFloat(getComputedStyle(canvas).lineHeight);
    const resized = new ResizeObserver(() => { this.#resized(); });
    const scrolled = () => { this.#scrolled(); };
    resized.observe(scroller);
    scroller.addEventListener("scroll", scrolled, { passive: true });
    return () => {
      resized.disconnect();
      this.#rows.disconnect();
      clearTimeout(this.#resting);
      scroller.removeEventListener("scroll", scrolled);
      this.#scroller = this.#canvas = null;
    };
  }

  /** Watches the height of a drawn row, which names its slot in `data-slot`. */
  watch(row: HTMLElement): void {
    this.#rows.observe(row);
  }

  unwatch(row: HTMLElement): void {
    this.#rows.unobserve(row);
  }

  /** Shows the list as it is now, which may be another one. */
  show(list: LineList): void {
    const anchor = list === this.list ? this.#anchor() : null;
    if (list !== this.list) this.#heights = new Heights(this.#heights.row);
    this.list = list;
    this.#heights.setRange(list.start, list.end);
    for (const { from, to } of list.takeHoles()) {
      for (let slot = from; slot <= to; slot++) this.#heights.measured(slot, 0);
    }
    this.#layOut(anchor);
  }

  /** Goes to the end and stays there. */
  follow(): void {
    this.isFollowing = true;
    this.#pinned = null;
    this.#layOut(null);
  }

  stay(): void {
    this.isFollowing = false;
    this.#onChange();
  }

  /** Goes to a line, or to several up to another one: all of them are in view if they fit. */
  goTo(slot: number, align: Align, last = slot): void {
    this.isFollowing = false;
    this.#pinned = { slot, last, align };
    this.#layOut(null);
  }

  /** Scrolls by so many screens. */
  page(screens: number): void {
    this.#go(this.#range.offset + screens * (this.#seen - this.#heights.row));
  }

  /** Forgets the heights, as when lines begin to wrap. */
  remeasure(): void {
    const anchor = this.#anchor();
    this.#heights.clear();
    for (const row of this.#canvas?.querySelectorAll<HTMLElement>("[data-slot]") ?? []) this.#note(row, row.offsetHeight);
    this.#layOut(anchor);
  }

  /** The line at the top of what is seen. */
  get firstSeen(): number {
    return this.#heights.slotAt(this.#range.offset + this.#heights.row / 2);
  }

  get lastSeen(): number {
    return this.#heights.slotAt(this.#range.offset + this.#seen - 1);
  }

  #resized(): void {
    const scroller = this.#scroller;
    if (!scroller) return;
    const hasWidth = scroller.clientWidth !== this.#width;
    const anchor = this.#anchor();
    this.#seen = scroller.clientHeight;
    this.#width = scroller.clientWidth;
    if (hasWidth) this.remeasure();
    else this.#layOut(anchor);
  }

  #measured(entries: ResizeObserverEntry[]): void {
    const anchor = this.#anchor();
    let isNews = false;
    for (const { target, borderBoxSize } of entries) {
      const height = borderBoxSize[0]?.blockSize ?? 0;
      isNews = (target.isConnected && this.#note(target as HTMLElement, height)) || isNews;
    }
    if (isNews) this.#layOut(anchor);
  }

  #note(row: HTMLElement, height: number): boolean {
    return height > 0 && this.#heights.measured(Number(row.dataset.slot), height);
  }

  #scrolled(): void {
    const top = this.#scroller?.scrollTop ?? 0;
    if (Math.abs(top - this.#range.top) < NEAR) return; // our own doing
    const before = this.#range.offset;
    this.#range.moved(top);
    if (this.#range.isStuck) this.#range.settle();
    this.#pinned = null;
    this.#decide(before);
    this.#rest();
    this.#draw();
  }

  #go(offset: number): void {
    const before = this.#range.offset;
    this.#range.place(offset);
    this.#pinned = null;
    this.#decide(before);
    this.#draw();
  }

  /** Who scrolls up stops following, who comes to the end begins. */
  #decide(before: number): void {
    const { offset, max } = this.#range;
    if (offset < before) this.isFollowing = false;
    else if (offset >= max - NEAR && this.list?.isAtEnd) this.isFollowing = true;
  }

  #rest(): void {
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => {
      if (this.#range.settle()) this.#draw();
    }, REST_MS);
  }

  #anchor(): { slot: number; below: number } {
    const slot = this.#heights.slotAt(this.#range.offset);
    return { slot, below: this.#range.offset - this.#heights.offsetOf(slot) };
  }

  /** Brings back into place what must stay: the end, the line that was gone to, or else the anchor. */
  #layOut(anchor: { slot: number; below: number } | null): void {
    const heights = this.#heights;
    this.#range.resize(heights.total, this.#seen);
    if (this.isFollowing) this.#range.place(Infinity);
    else if (this.#pinned) this.#range.place(this.#aligned(this.#pinned));
    else if (anchor) this.#range.place(heights.offsetOf(anchor.slot) + anchor.below);
    this.#draw();
  }

  #aligned({ slot, last, align }: { slot: number; last: number; align: Align }): number {
    const begin = this.#heights.offsetOf(slot);
    const height = this.#heights.offsetOf(last) + this.#heights.heightOf(last) - begin;
    if (align === "start" || height > this.#seen) return begin;
    if (align === "center") return begin - (this.#seen - height) / 2;
    return Math.min(Math.max(this.#range.offset, begin + height - this.#seen), begin);
  }

  #draw(): void {
    const { offset, height, top, shift } = this.#range;
    const heights = this.#heights;
    if (!this.#scroller || !this.#canvas || !this.list) return;
    this.#canvas.style.height = `${height}px`;
    if (Math.abs(this.#scroller.scrollTop - top) > 1) this.#scroller.scrollTop = top;
    const from = heights.slotAt(offset - OVERSCAN);
    const to = Math.min(heights.slotAt(offset + this.#seen + OVERSCAN) + 1, heights.end);
    this.drawn = { from, to, top: heights.offsetOf(from) - shift };
    this.list.look(heights.slotAt(offset), Math.min(heights.slotAt(offset + this.#seen) + 1, heights.end));
    this.#onChange();
  }
}
