// Where lines lie in the log: all are as high as one row, except for the few that were measured to be otherwise.
//
// Lines are named by slots, whole numbers from `start` to before `end`. What is kept grows with the lines that were
// measured, not with the lines there are: a million rows of one height take no memory and no time.

const BLOCK = 128;

interface Block {
  /** Pixels beyond one row each. */
  extra: number;
  of: Map<number, number>;
}

export class Heights {
  start = 0;
  end = 0;
  readonly #blocks = new Map<number, Block>();
  #sorted: { block: number; before: number }[] | null = null;

  constructor(public row: number) {}

  setRange(start: number, end: number): void {
    this.start = start;
    this.end = end;
    for (const number of this.#blocks.keys()) {
      if ((number + 1) * BLOCK <= start || number * BLOCK >= end) this.#drop(number);
    }
  }

  /** Forgets what was measured, as after a change of width; what has no height keeps none. */
  clear(): void {
    const flat = [...this.#blocks.values()].flatMap(({ of }) => [...of].filter(([, extra]) => extra === -this.row));
    this.#blocks.clear();
    this.#sorted = null;
    for (const [slot] of flat) this.measured(slot, 0);
  }

  /** Takes note of a measured height. Tells whether that is news. */
  measured(slot: number, height: number): boolean {
    const extra = height - this.row;
    const number = Math.floor(slot / BLOCK);
    const block = this.#blocks.get(number) ?? { extra: 0, of: new Map<number, number>() };
    const change = extra - (block.of.get(slot) ?? 0);
    if (change === 0) return false;
    if (extra === 0) block.of.delete(slot);
    else block.of.set(slot, extra);
    block.extra += change;
    this.#blocks.set(number, block);
    this.#sorted = null;
    return true;
  }

  heightOf(slot: number): number {
    return this.row + (this.#blocks.get(Math.floor(slot / BLOCK))?.of.get(slot) ?? 0);
  }

  /** Pixels from the top of the log to the top of a line; of `end` the height of all. */
  offsetOf(slot: number): number {
    return (slot - this.start) * this.row + (this.#extraBefore(slot) - this.#extraBefore(this.start));
  }

  get total(): number {
    return this.offsetOf(this.end);
  }

  /** The line at so many pixels from the top, the nearest one beyond the ends. */
  slotAt(offset: number): number {
    let low = this.start;
    let high = Math.max(this.end - 1, this.start);
    while (low < high) {
      const middle = low + Math.ceil((high - low) / 2);
      if (this.offsetOf(middle) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #extraBefore(slot: number): number {
    const number = Math.floor(slot / BLOCK);
    let extra = this.#extraBeforeBlock(number);
    for (const [other, height] of this.#blocks.get(number)?.of ?? []) if (other < slot) extra += height;
    return extra;
  }

  #extraBeforeBlock(number: number): number {
    const sorted = (this.#sorted ??= this.#sums());
    let low = 0;
    let high = sorted.length - 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((sorted[middle]?.block ?? 0) >= number) high = middle;
      else low = middle + 1;
    }
    return sorted[low]?.before ?? 0;
  }

  /** Of each block that has measured lines the pixels before it, and at the end of them all. */
  #sums(): { block: number; before: number }[] {
    let before = 0;
    const sums = [...this.#blocks].sort(([one], [other]) => one - other).map(([block, { extra }]) => {
      const sum = { block, before };
      before += extra;
      return sum;
    });
    return [...sums, { block: Infinity, before }];
  }

  #drop(number: number): void {
    this.#blocks.delete(number);
    this.#sorted = null;
  }
}
