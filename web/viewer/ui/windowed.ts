// Which rows of a long list lie on the screen, where all rows are equally high.
import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";

const MARGIN_ROWS = 12;

export interface Rows {
  /** The first row to draw. */
  start: number;
  /** The row behind the last one to draw. */
  end: number;
}

/** Follows the scrolling of the list's scroller, which is the window if none is given. */
export function useRows(
  list: RefObject<HTMLElement | null>,
  count: number,
  rowHeight: number,
  scroller?: RefObject<HTMLElement | null>,
): Rows {
  const [rows, setRows] = useState<Rows>({ start: 0, end: 60 });
  useLayoutEffect(() => {
    let frame = 0;
    const look = () => {
      frame = 0;
      if (!list.current) return;
      const view = scroller?.current?.getBoundingClientRect() ?? { top: 0, bottom: innerHeight };
      const top = list.current.getBoundingClientRect().top;
      const start = Math.max(0, Math.floor((view.top - top) / rowHeight) - MARGIN_ROWS);
      const end = Math.ceil((view.bottom - top) / rowHeight) + MARGIN_ROWS;
      setRows((old) => (old.start === start && old.end === end ? old : { start, end }));
    };
    const soon = () => (frame ||= requestAnimationFrame(look));
    const target = scroller?.current ?? window;
    look();
    target.addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    const sizes = new ResizeObserver(soon);
    if (scroller?.current) sizes.observe(scroller.current);
    return () => {
      cancelAnimationFrame(frame);
      target.removeEventListener("scroll", soon);
      removeEventListener("resize", soon);
      sizes.disconnect();
    };
  }, [count, rowHeight]);
  return { start: Math.min(rows.start, count), end: Math.min(rows.end, count) };
}
