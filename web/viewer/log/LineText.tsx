// The text of a message: in the colours that it was written in, with what was found in it.
import { pieces } from "./text/ansi";
import { type Finder, marked } from "./text/finding";

/** Beyond it a text is shown as it is: to look for places in it would take long. */
const MAX_MARKED = 100_000;

export function LineText({ text, find }: { text: string; find: Finder | null }) {
  const styled = pieces(text);
  if (styled.length === 1 && !find && styled[0]?.className === "") return <>{styled[0].text}</>;
  const plain = styled.map((piece) => piece.text).join("");
  const hits = find && plain.length < MAX_MARKED ? (find(plain) ?? []) : [];
  return (
    <>
      {marked(styled, hits).map(({ text: part, className, style, isHit }) => {
        if (isHit) return <mark class={className}>{part}</mark>;
        return className || Object.keys(style).length > 0 ? (
          <span class={className} style={style}>
            {part}
          </span>
        ) : (
          part
        );
      })}
    </>
  );
}
