// How a record of several lines is shown on one: its first line, how many more there are, and the exception of a traceback.
import type { PreviewFragment } from "../../graph/generated";
import { type Piece, linesOf, pieces, plain } from "./terminal";

export interface Folded {
  /** As a terminal shows them, without empty ones at the end; of a long message its beginning. */
  lines: Piece[][];
  /** The end of a long message. */
  tail: Piece[][];
  /** How many lines are hidden behind the first. */
  hidden: number;
  /** How many characters are not here at all. */
  missing: number;
  /** The line that matters most of a traceback. */
  exception: string | null;
}

export function folded({ head, tail, hiddenLines, hiddenCharacters, exception }: PreviewFragment): Folded {
  const lines = linesOf(pieces(head));
  const last = tail === null ? [] : linesOf(pieces(tail));
  trimmed(last.length > 0 ? last : lines);
  const below = tail === null ? 0 : hiddenLines + last.length - 1;
  return {
    lines,
    tail: last,
    hidden: lines.length - 1 + below,
    missing: hiddenCharacters,
    exception: lines.length - 1 + below > 1 ? exception : null,
  };
}

function trimmed(lines: Piece[][]): void {
  while (lines.length > 1 && plain(lines.at(-1) ?? []) === "") lines.pop();
}
