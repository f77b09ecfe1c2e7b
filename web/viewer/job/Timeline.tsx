// When a job did and said what: its lines by time and level, and below them a bar a stage with its tasks inside.
import { useEffect, useMemo } from "preact/hooks";

import type { JobHeadFragment } from "../graph/generated";
import { isOver } from "../jobs/JobTable";
import { useObserved } from "../observed";
import type { Selection } from "../selection";
import { sayDuration, useNow } from "../time";
import { Histogram } from "./Histogram";
import { StageBars } from "./StageBars";
import type { StageTasks } from "./stageTasks";
import { type Scale, scaleOf, ticks } from "./scale";
import { useHistogram } from "./useHistogram";

/** Of more stages the tasks are not drawn: their bars are too narrow to hold any. */
const MOST_WITH_TASKS = 20;

export interface TimelineProps {
  job: JobHeadFragment;
  tasks: StageTasks;
  isStale: boolean;
  selection: Selection;
  onSelection: (selection: Selection) => void;
}

export function Timeline({ job, tasks, isStale, selection, onSelection }: TimelineProps) {
  const buckets = useHistogram(job, selection);
  const isGoingOn = !isOver(job) && !isStale;
  const now = useNow(isGoingOn);
  const pages = useObserved(tasks.pages);
  useEffect(() => {
    for (const stage of job.stages.slice(0, MOST_WITH_TASKS)) if (stage.taskCount > 1) tasks.want(stage.name);
  }, [tasks, job.stages.length, job.lastSeq]);
  const scale = useMemo(() => scaleOf(job, buckets, isGoingOn ? now : 0), [job, buckets, isGoingOn, now]);
  if (!scale) return null;
  return (
    <section class="timeline" aria-label="Timeline">
      <Histogram buckets={buckets} scale={scale} selection={selection} onSelection={onSelection} />
      <StageBars stages={job.stages} pages={pages} scale={scale} selection={selection} onSelection={onSelection} />
      <Axis scale={scale} />
    </section>
  );
}

function Axis({ scale }: { scale: Scale }) {
  return (
    <div class="axis number" aria-hidden="true">
      {ticks(scale).map((ms) => (
        <span key={ms} style={{ left: `${(100 * ms) / scale.ms}%` }}>
          {ms === 0 ? "0" : sayDuration(ms)}
        </span>
      ))}
    </div>
  );
}
