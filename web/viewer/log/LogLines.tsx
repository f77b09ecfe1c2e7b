// The part of the log that is seen, within an element that is as high as all of it.
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { sayDate, useNow } from "../time";
import type { LineList } from "./model/lineList";
import { LogRow } from "./LogRow";
import type { Look } from "./look";
import { WholeLog } from "./model/wholeLog";
import type { Pane } from "./pane";
import { contains } from "./text/permalink";

interface LogLinesProps {
  pane: Pane;
  look: Look;
  digits: number;
  /** When the job began: lines of another day than today say their day. */
  since: string;
  onNumber: (event: MouseEvent, seq: number) => void;
}

export function LogLines({ pane, look, digits, since, onNumber }: LogLinesProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLDivElement>(null);
  const rows = useRef<HTMLDivElement>(null);
  const width = useRef(0);
  const now = useNow(look.time === "relative");
  const { list } = pane.model;
  const { from, to, top } = pane.scroll.drawn;

  useLayoutEffect(() => {
    if (!scroller.current || !canvas.current) return;
    return pane.scroll.attach(scroller.current, canvas.current);
  }, [pane]);

  useLayoutEffect(() => {
    width.current = 0;
    if (rows.current) rows.current.style.minWidth = "";
    pane.scroll.remeasure();
  }, [pane, look.isWrapped, look.hasPlace, look.time, look.isUnfolded]);

  // The widest line so far decides how far one scrolls to the right, so that the bar does not jump.
  useEffect(() => {
    if (!rows.current || look.isWrapped || rows.current.scrollWidth <= width.current) return;
    width.current = rows.current.scrollWidth;
    rows.current.style.minWidth = `${width.current}px`;
  });

  const isDated = isOfAnotherDay(since, look.time);
  const slots = list ? drawnSlots(list, from, to) : [];
  const isWhole = list instanceof WholeLog;
  return (
    <div
      ref={scroller}
      class="log-scroller"
      role="grid"
      aria-label="Log lines"
      aria-rowcount={pane.model.total ?? -1}
      aria-colcount={5}
      aria-multiselectable={true}
      aria-activedescendant={pane.cursor === null ? undefined : `line-${pane.cursor}`}
      aria-busy={list === null}
      tabIndex={0}
      style={{ "--log-digits": digits }}
    >
      <div ref={canvas} class="log-canvas" role="presentation">
        <div ref={rows} class="log-rows" role="rowgroup" style={{ transform: `translateY(${top}px)` }}>
          {list &&
            slots.map((slot) => {
              const content = list.at(slot);
              const hole = list.holeAt(slot - 1);
              const seq = typeof content === "object" ? content.seq : isWhole ? slot : null;
              return (
                <LogRow
                  key={slot}
                  slot={slot}
                  rowIndex={isWhole ? slot : slot - list.start + 1}
                  seq={seq}
                  content={content}
                  pruned={hole ? hole.to - hole.from + 1 : 0}
                  pane={pane}
                  find={pane.find}
                  isWrapped={look.isWrapped}
                  hasPlace={look.hasPlace}
                  time={look.time}
                  isDated={isDated}
                  now={look.time === "relative" ? now : 0}
                  isCursor={seq !== null && seq === pane.cursor}
                  isMarked={seq !== null && contains(pane.range, seq)}
                  isCurrentHit={seq !== null && seq === pane.hits?.current}
                  isExpanded={seq !== null && pane.expanded.has(seq)}
                  isUnfolded={seq !== null && look.isUnfolded !== pane.unfolded.has(seq)}
                  onNumber={onNumber}
                />
              );
            })}
        </div>
      </div>
    </div>
  );
}

function isOfAnotherDay(iso: string, style: Look["time"]): boolean {
  const clock = style === "utc" ? "utc" : "local";
  return style !== "relative" && sayDate(iso, clock) !== sayDate(new Date().toISOString(), clock);
}

/** The slots of rows: what was pruned has none. */
function drawnSlots(list: LineList, from: number, to: number): number[] {
  const slots: number[] = [];
  for (let slot = from; slot < to; slot++) {
    const hole = list.at(slot) === "pruned" ? list.holeAt(slot) : null;
    if (hole) slot = hole.to;
    else slots.push(slot);
  }
  return slots;
}
