// Addresses in a text, which are links: http, https and mailto alone.
import type { Piece } from "./terminal";

const ADDRESS = /\b(?:https?:\/\/|mailto:)[^\s<>"'`\u2018-\u201f\u3000-\u303f]+/gi;
const TRAILING = /[.,;:!?*_~]+$/;
const BRACKETS: Record<string, string> = { ")": "(", "]": "[", "}": "{" };

/** Cuts pieces at the edges of the addresses in them. What leads somewhere by itself stays. */
export function linked(pieces: readonly Piece[]): Piece[] {
  const text = pieces.map((piece) => piece.text).join("");
  const addresses = [...text.matchAll(ADDRESS)].map((found) => {
    const address = trimmed(found[0]);
    return { from: found.index, to: found.index + address.length, address };
  });
  if (addresses.length === 0) return [...pieces];
  const cut: Piece[] = [];
  let start = 0;
  for (const piece of pieces) {
    const end = start + piece.text.length;
    let at = start;
    const add = (to: number, link: string | null) => {
      if (to > at) cut.push({ ...piece, text: piece.text.slice(at - start, to - start), link: piece.link ?? link });
      at = Math.max(at, to);
    };
    for (const { from, to, address } of addresses) {
      if (to <= start || from >= end) continue;
      add(Math.max(from, start), null);
      add(Math.min(to, end), address);
    }
    add(end, null);
    start = end;
  }
  return cut;
}

/** Without what belongs to the sentence around it: a full stop, a bracket that it did not open. */
function trimmed(address: string): string {
  for (;;) {
    const bare = address.replace(TRAILING, "");
    const last = bare.at(-1) ?? "";
    const opening = BRACKETS[last];
    if (!opening || count(bare, opening) >= count(bare, last)) return bare;
    address = bare.slice(0, -1);
  }
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}
