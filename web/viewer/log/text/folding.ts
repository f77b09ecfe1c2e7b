// How a record of several lines is shown on one: its first line, how many more there are, and what a traceback ends with.
import { type Piece, linesOf, pieces, plain } from "./terminal";

export interface Folded {
  /** As a terminal shows them, without empty ones at the end. */
  lines: Piece[][];
  /** How many lines are hidden behind the first, the one of `last` among them. */
  hidden: number;
  /** The line that matters most of a traceback: its exception. */
  last: Piece[] | null;
}

const TRACEBACK = /^(?:\S+: )?.*Traceback \(most recent call last\):$/;

export function folded(message: string): Folded {
  const lines = linesOf(pieces(message));
  while (lines.length > 1 && plain(lines.at(-1) ?? []) === "") lines.pop();
  const hidden = lines.length - 1;
  const isTraceback = hidden > 1 && lines.some((line) => TRACEBACK.test(plain(line)));
  return { lines, hidden, last: isTraceback ? (lines.at(-1) ?? null) : null };
}
