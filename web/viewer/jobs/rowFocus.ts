// The way through a list by keys, though only the rows on the screen are drawn.
import type { RefObject } from "preact";

import type { Shortcut } from "../shortcuts";

/** Keys that move the focus from the link of one row to that of another. Rows have data-index. */
export function rowFocus(body: RefObject<HTMLElement | null>, count: number, rowHeight: number): Shortcut[] {
  const rowOf = (index: number) => body.current?.querySelector<HTMLElement>(`[data-index="${index}"]`);
  const present = () => {
    const row = document.activeElement?.closest<HTMLElement>("[data-index]");
    return row && body.current?.contains(row) ? Number(row.dataset.index) : null;
  };
  const focus = (index: number) => {
    if (count === 0) return;
    const next = Math.max(0, Math.min(index, count - 1));
    scrollTo(next);
    requestAnimationFrame(() => requestAnimationFrame(() => rowOf(next)?.querySelector("a")?.focus({ preventScroll: true })));
  };
  const scrollTo = (index: number) => {
    if (!body.current) return;
    const top = body.current.getBoundingClientRect().top + index * rowHeight;
    const [least, most] = [4 * rowHeight, innerHeight - 2 * rowHeight];
    if (top < least) scrollBy(0, top - least);
    else if (top > most) scrollBy(0, top - most);
  };
  const step = (by: number) => () => focus((present() ?? (by > 0 ? -1 : count)) + by);
  return [
    { keys: ["j", "ArrowDown"], does: "Next", run: step(1) },
    { keys: ["k", "ArrowUp"], does: "Previous", run: (event) => (present() === null && event.key === "ArrowUp" ? false : step(-1)()) },
    { keys: ["Home"], does: "First", run: () => (present() === null ? false : focus(0)) },
    { keys: ["End"], does: "Last that is loaded", run: () => (present() === null ? false : focus(count - 1)) },
    { keys: ["Enter"], does: "Open it", run: () => false },
  ];
}
