// Finds in a text what the service found in a line, to highlight it. The service decides which lines match; this only says
// where, and says nothing where that would take long.
import type { Piece } from "./terminal";

export interface Range {
  from: number;
  to: number;
}

/** Where the search hits a text, ascending and apart; null where that cannot be said here. */
export type Finder = (text: string) => Range[] | null;

const MAX_HITS = 200;
/** The browser's engine backtracks: with two open repetitions at most, so long a text is searched in milliseconds. */
const MAX_PATTERN_TEXT = 400;
const MAX_OPEN = 2;

export function finder(search: string, isRegex: boolean): Finder {
  return isRegex ? patternFinder(search) : plainFinder(search);
}

function plainFinder(search: string): Finder {
  const wanted = foldCase(search);
  return (text) => {
    const folded = foldCase(text);
    const ranges: Range[] = [];
    for (let at = folded.indexOf(wanted); wanted && at >= 0 && ranges.length < MAX_HITS; at = folded.indexOf(wanted, at)) {
      ranges.push({ from: at, to: at + wanted.length });
      at += wanted.length;
    }
    return ranges;
  };
}

/** Lowers letters as the service does: one by one, never to more letters than there were. */
export function foldCase(text: string): string {
  const lower = text.toLowerCase();
  return lower.length === text.length ? lower : Array.from(text, foldLetter).join("");
}

function foldLetter(letter: string): string {
  const lower = letter.toLowerCase();
  return lower.length === letter.length ? lower : letter;
}

function patternFinder(search: string): Finder {
  const pattern = translated(search);
  return (text) => {
    if (!pattern || text.length > MAX_PATTERN_TEXT) return null;
    const ranges: Range[] = [];
    for (const hit of text.matchAll(pattern)) {
      if (hit[0]) ranges.push({ from: hit.index, to: hit.index + hit[0].length });
      if (ranges.length === MAX_HITS) break;
    }
    return ranges;
  };
}

/** Says the service's pattern in the browser's syntax; null for one that the browser cannot do, or not in bounded time. */
function translated(search: string): RegExp | null {
  const flags = /^\(\?([ims]*)(?:-([ims]+))?\)/.exec(search);
  const on = flags?.[1] ?? "";
  const off = flags?.[2] ?? "";
  const source = search
    .slice(flags?.[0].length ?? 0)
    .replace(/\\x\{([0-9A-Fa-f]+)\}/g, "\\u{$1}")
    .replace(/\(\?P</g, "(?<")
    .replace(/\\A/g, "(?<![\\s\\S])")
    .replace(/\\[zZ]/g, "(?![\\s\\S])");
  if (mayTakeLong(source)) return null;
  const has = (flag: string): boolean => (on.includes(flag) || flag !== "s") && !off.includes(flag);
  try {
    return new RegExp(source, `gu${has("i") ? "i" : ""}${has("m") ? "m" : ""}${has("s") ? "s" : ""}`);
  } catch {
    return null;
  }
}

function mayTakeLong(source: string): boolean {
  const bare = source.replace(/\\./g, "x").replace(/\[[^\]]*\]/g, "x");
  const open = bare.match(/[*+]|\{\d*,?\d*\}/g)?.length ?? 0;
  return open > MAX_OPEN || /\)(?:[*+]|\{)/.test(bare);
}

export interface MarkedPiece extends Piece {
  isHit: boolean;
}

/** Cuts styled text at the edges of what was found. */
export function marked(styled: readonly Piece[], hits: Range[]): MarkedPiece[] {
  const cut: MarkedPiece[] = [];
  let start = 0;
  for (const piece of styled) {
    const end = start + piece.text.length;
    const inside = hits.filter((hit) => hit.from < end && hit.to > start);
    const edges = [...new Set([start, ...inside.flatMap((hit) => [hit.from, hit.to]), end])]
      .filter((edge) => edge >= start && edge <= end)
      .sort((a, b) => a - b);
    edges.slice(1).forEach((to, index) => {
      const from = edges[index] ?? start;
      const isHit = inside.some((hit) => hit.from <= from && hit.to >= to);
      cut.push({ ...piece, text: piece.text.slice(from - start, to - start), isHit });
    });
    start = end;
  }
  return cut;
}
