// The part of the address that names lines: #L120 or #L120-L140.

export interface LineRange {
  from: number;
  /** Inclusive. */
  to: number;
}

export function readHash(hash: string): LineRange | null {
  const found = /^#L(\d{1,15})(?:-L?(\d{1,15}))?$/.exec(hash);
  if (!found) return null;
  const one = Number(found[1]);
  const other = Number(found[2] ?? one);
  return one > 0 && other > 0 ? between(one, other) : null;
}

export function writeHash({ from, to }: LineRange): string {
  return from === to ? `#L${from}` : `#L${from}-L${to}`;
}

export function between(one: number, other: number): LineRange {
  return { from: Math.min(one, other), to: Math.max(one, other) };
}

export function contains(range: LineRange | null, seq: number): boolean {
  return range !== null && range.from <= seq && seq <= range.to;
}
