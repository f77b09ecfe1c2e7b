// A set of line numbers as ranges, for holes that may be long.
import type { LineRange } from "../text/permalink";

export class Ranges {
  /** Ascending and apart. */
  readonly #ranges: LineRange[] = [];

  /** Adds a range, and gives it joined with those that it touches. */
  add({ from, to }: LineRange): LineRange {
    const first = this.#firstEndingAt(from - 1);
    let last = first;
    const joined = { from, to };
    for (let other = this.#ranges[last]; other && other.from <= to + 1; other = this.#ranges[++last]) {
      joined.from = Math.min(joined.from, other.from);
      joined.to = Math.max(joined.to, other.to);
    }
    this.#ranges.splice(first, last - first, joined);
    return joined;
  }

  find(seq: number): LineRange | null {
    const range = this.#ranges[this.#firstEndingAt(seq)];
    return range && range.from <= seq ? range : null;
  }

  /** The place of the first range that ends there or later. */
  #firstEndingAt(seq: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if ((this.#ranges[middle]?.to ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
