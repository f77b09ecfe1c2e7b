// A time in the style that the visitor chose, with the whole of it in its title.
import { useObserved } from "../observed";
import { sayTime, sayWhole, timeStyle, useNow } from "../time";

export function Time({ at }: { at: string }) {
  const style = useObserved(timeStyle);
  const now = useNow(style === "relative");
  return (
    <time dateTime={at} title={sayWhole(at)}>
      {sayTime(at, style, now)}
    </time>
  );
}
