// The text of a message as a terminal shows it: in the colours that it was written in, with its links, and what was found.
import { type Finder, marked } from "./text/finding";
import { linked } from "./text/links";
import { type Piece, pieces, plain } from "./text/terminal";

/** Beyond it a text is shown as it is: to look for places in it would take long. */
const MAX_MARKED = 100_000;

export function ShownText({ text, find = null }: { text: string; find?: Finder | null }) {
  return <LineText line={pieces(text)} find={find} />;
}

export function LineText({ line, find }: { line: readonly Piece[]; find: Finder | null }) {
  const text = plain(line);
  const isShort = text.length < MAX_MARKED;
  const styled = isShort ? linked(line) : line;
  const hits = find && isShort ? (find(text) ?? []) : [];
  return <>{marked(styled, hits).map((piece) => <Part {...piece} />)}</>;
}

function Part({ text, className, style, link, isHit }: ReturnType<typeof marked>[number]) {
  const isStyled = className || Object.keys(style).length > 0;
  const styled = isHit ? (
    <mark class={className}>{text}</mark>
  ) : isStyled ? (
    <span class={className} style={style}>
      {text}
    </span>
  ) : (
    text
  );
  if (link === null) return <>{styled}</>;
  return (
    <a class="text-link" href={link} title={link} target="_blank" rel="noopener noreferrer">
      {styled}
    </a>
  );
}
