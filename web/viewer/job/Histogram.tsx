// Lines by time and level. A bucket, or all that a drag passes over, selects its time; by keys it is a slider.
import { useRef, useState } from "preact/hooks";

import { useObserved } from "../observed";
import { type Selection, withTimes } from "../selection";
import { sayClock, timeStyle } from "../time";
import { sayCount } from "../ui/numbers";
import { type Scale, placeOf } from "./scale";
import type { Bucket } from "./useHistogram";

const HEIGHT = 40;
/** So that one line among thousands is seen. */
const LEAST_PX = 2;

export interface HistogramProps {
  buckets: readonly Bucket[];
  scale: Scale;
  selection: Selection;
  onSelection: (selection: Selection) => void;
}

export function Histogram({ buckets, scale, selection, onSelection }: HistogramProps) {
  const graph = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const clock = useObserved(timeStyle) === "utc" ? "utc" : "local";
  const first = buckets[0];
  const last = buckets.at(-1);
  if (!first || !last) return <div class="histogram" />;
  const [left, right] = [placeOf(scale, first.since), placeOf(scale, last.until)];
  const at = Math.min(active, buckets.length - 1);
  const select = (from: number, to: number) => {
    const [since, until] = [buckets[Math.min(from, to)]?.since, buckets[Math.max(from, to)]?.until];
    if (since && until) onSelection(withTimes(selection, since, until));
  };
  const under = (event: PointerEvent) => {
    const box = graph.current?.getBoundingClientRect();
    if (!box) return 0;
    const share = (event.clientX - box.left) / Math.max(1, box.width);
    return Math.max(0, Math.min(buckets.length - 1, Math.floor(share * buckets.length)));
  };
  const onKey = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -1e6, End: 1e6 };
    const step = steps[event.key];
    if (step !== undefined) setActive(Math.max(0, Math.min(buckets.length - 1, at + step)));
    else if (event.key === "Enter" || event.key === " ") select(at, at);
    else return;
    event.preventDefault();
  };
  const describe = (bucket: Bucket | undefined) => {
    if (!bucket) return "";
    const { total, warning, error, critical } = bucket.logCounts;
    const parts = [sayCount(total, "line")];
    if (warning) parts.push(sayCount(warning, "warning"));
    if (error + critical) parts.push(sayCount(error + critical, "error"));
    return `${sayClock(bucket.since, clock, true)} to ${sayClock(bucket.until, clock, true)}: ${parts.join(", ")}`;
  };
  return (
    <div class="histogram">
      <div
        ref={graph}
        class="histogram-graph"
        style={{ left: `${left}%`, width: `${Math.max(0.5, right - left)}%` }}
        role="slider"
        tabIndex={0}
        aria-label="Lines over time; Enter shows those of a time"
        aria-valuemin={0}
        aria-valuemax={buckets.length - 1}
        aria-valuenow={at}
        aria-valuetext={describe(buckets[at])}
        title={describe(buckets[at])}
        onKeyDown={onKey}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          const from = under(event);
          setActive(from);
          setDrag({ from, to: from });
        }}
        onPointerMove={(event) => {
          const to = under(event);
          if (drag) setDrag({ from: drag.from, to });
          else setActive(to);
        }}
        onPointerUp={() => {
          if (drag) select(drag.from, drag.to);
          setDrag(null);
        }}
        onPointerCancel={() => setDrag(null)}
      >
        <Bars buckets={buckets} />
        <span class="histogram-active" style={spanOf(at, at, buckets.length)} />
        {drag && <span class="histogram-drag" style={spanOf(drag.from, drag.to, buckets.length)} />}
      </div>
      {selection.since && selection.until && (
        <span class="histogram-chosen" style={timeSpan(scale, selection.since, selection.until)} />
      )}
    </div>
  );
}

function spanOf(from: number, to: number, count: number): { left: string; width: string } {
  const [low, high] = from < to ? [from, to] : [to, from];
  return { left: `${(100 * low) / count}%`, width: `${(100 * (high - low + 1)) / count}%` };
}

function timeSpan(scale: Scale, since: string, until: string): { left: string; width: string } {
  const left = Math.max(0, placeOf(scale, since));
  return { left: `${left}%`, width: `${Math.max(0.2, Math.min(100, placeOf(scale, until)) - left)}%` };
}

/** By the square root of the counts, so that a flood leaves room for the rest; graver levels lie below. */
function Bars({ buckets }: { buckets: readonly Bucket[] }) {
  const most = Math.sqrt(Math.max(1, ...buckets.map((bucket) => bucket.logCounts.total)));
  return (
    <svg viewBox={`0 0 ${buckets.length} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      {buckets.flatMap((bucket, index) => {
        const { total, warning, error, critical } = bucket.logCounts;
        if (total === 0) return [];
        const height = Math.max(LEAST_PX, (HEIGHT * Math.sqrt(total)) / most);
        let bottom = HEIGHT;
        const parts: [string, number][] = [
          ["error", error + critical],
          ["warning", warning],
          ["info", total - error - critical - warning],
        ];
        return parts.map(([level, count]) => {
          const part = count && Math.max(Math.min(LEAST_PX, height), (height * count) / total);
          bottom -= part;
          return part > 0 && (
            <rect key={`${index} ${level}`} class={`bar-${level}`} x={index + 0.08} width={0.84} y={bottom} height={part} />
          );
        });
      })}
    </svg>
  );
}
