// From times to places on a timeline, in percent of its width.
import type { JobHeadFragment } from "../graph/generated";
import type { Bucket } from "./useHistogram";

export interface Scale {
  /** Milliseconds since 1970. */
  start: number;
  /** How long it is, at least 1. */
  ms: number;
}

const STEPS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500].flatMap((step) => [step, 1_000 * step]).concat(
  [1, 2, 5, 10, 15, 30].map((minutes) => 60_000 * minutes),
  [1, 2, 6, 12].map((hours) => 3_600_000 * hours),
  [1, 2, 7, 14, 30, 90, 365].map((days) => 86_400_000 * days),
);
const MOST_TICKS = 8;

/** From the first thing known of a job to the last, which is now (if not 0) while it goes on. Null while there is nothing. */
export function scaleOf(job: JobHeadFragment, buckets: readonly Bucket[], now: number): Scale | null {
  let [start, end] = [Infinity, now || -Infinity];
  const take = (iso: string | null | undefined) => {
    if (!iso) return;
    const time = Date.parse(iso);
    start = Math.min(start, time);
    end = Math.max(end, time);
  };
  take(job.startedAt);
  take(job.finishedAt);
  for (const stage of job.stages) {
    take(stage.startedAt);
    take(stage.finishedAt);
  }
  take(buckets[0]?.since);
  take(buckets.at(-1)?.until);
  return start <= end ? { start, ms: Math.max(1, end - start) } : null;
}

export function placeOf(scale: Scale, iso: string): number {
  return (100 * (Date.parse(iso) - scale.start)) / scale.ms;
}

/** Round times from the beginning on, in milliseconds. */
export function ticks(scale: Scale): number[] {
  const step = STEPS_MS.sort((a, b) => a - b).find((ms) => scale.ms / ms <= MOST_TICKS) ?? scale.ms;
  return Array.from({ length: Math.floor(scale.ms / step) + 1 }, (_, index) => index * step).filter(
    (ms) => ms <= 0.96 * scale.ms,
  );
}
