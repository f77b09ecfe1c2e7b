// A scroll range for more pixels than a browser can lay out (Firefox ends at 17.8 million, Chromium at 33.5 million).
//
// The scrolled element is at most `MAX_HEIGHT` high. Small moves go pixel by pixel; a long one, as by the scroll bar's
// thumb, goes in proportion. What the two differ by is `shift`, which `settle` takes away where it can't be seen.

export const MAX_HEIGHT = 8_000_000;
/** So near to an end pixels of the browser are pixels of the log, so that both come to the end together. */
const END_HEIGHT = 400_000;

export class ScrollRange {
  /** Pixels from the top of the log to the top of what is seen. */
  offset = 0;
  /** What the browser has: `offset - shift`. */
  top = 0;
  #total = 0;
  #seen = 0;

  /** `total` pixels of log, of which `seen` are seen at a time. */
  resize(total: number, seen: number): void {
    this.#total = total;
    this.#seen = seen;
    this.place(this.offset);
  }

  get height(): number {
    return Math.min(this.#total, MAX_HEIGHT);
  }

  get shift(): number {
    return this.offset - this.top;
  }

  get max(): number {
    return Math.max(this.#total - this.#seen, 0);
  }

  get #maxTop(): number {
    return Math.max(this.height - this.#seen, 0);
  }

  get #isScaled(): boolean {
    return this.#total > MAX_HEIGHT;
  }

  /** Takes over where the browser has scrolled to. */
  moved(top: number): void {
    const change = top - this.top;
    this.top = top;
    const isLong = Math.abs(change) > 4 * this.#seen;
    const offset = this.#isScaled && isLong ? this.#scaled(top) : this.offset + change;
    this.offset = this.#isScaled ? Math.min(Math.max(offset, 0), this.max) : top;
  }

  /** Goes to an offset. `top` is then where the browser must be. */
  place(offset: number): void {
    const wanted = Math.min(Math.max(offset, 0), this.max);
    const isNear = this.#isScaled && Math.abs(wanted - this.offset) <= 4 * this.#seen;
    const nearTop = this.top + wanted - this.offset;
    this.offset = wanted;
    this.top = isNear && this.#hasRoom(nearTop) ? nearTop : this.#topOf(wanted);
  }

  /** Once scrolling rests: brings the browser to where the offset stands in proportion. Tells whether it has to move. */
  settle(): boolean {
    const top = this.#topOf(this.offset);
    const hasMoved = Math.abs(top - this.top) > 1;
    this.top = hasMoved ? top : this.top;
    return hasMoved;
  }

  /** Whether the browser would come to an end of its range before the log does. */
  get isStuck(): boolean {
    return this.#isScaled && !this.#hasRoom(this.top);
  }

  #hasRoom(top: number): boolean {
    const margin = 2 * this.#seen;
    const isClear = top > margin && top < this.#maxTop - margin;
    return isClear || Math.abs(this.#topOf(this.offset) - top) <= 1;
  }

  #topOf(offset: number): number {
    return this.#isScaled ? scaled(offset, this.max, this.#maxTop) : offset;
  }

  #scaled(top: number): number {
    return scaled(top, this.#maxTop, this.max);
  }
}

/** Brings a place in 0..`from` to 0..`to`: as it is near the ends, in proportion in between. */
function scaled(place: number, from: number, to: number): number {
  if (place <= END_HEIGHT) return place;
  if (place >= from - END_HEIGHT) return to - (from - place);
  return END_HEIGHT + ((place - END_HEIGHT) * (to - 2 * END_HEIGHT)) / (from - 2 * END_HEIGHT);
}
