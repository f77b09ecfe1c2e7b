// A bar a stage, to time scale, with its tasks inside. The tree beside it has the same by keys.
import { useMemo } from "preact/hooks";

import type { TaskRowFragment } from "../graph/generated";
import { shown } from "../log/text/terminal";
import { type Selection, withStage, withTask } from "../selection";
import { sayStatus } from "../ui/Status";
import { sayCount } from "../ui/numbers";
import { sayDuration } from "../time";
import { type Scale, placeOf } from "./scale";
import type { Stage, StageTaskPage } from "./stageTasks";

const LEAST = 0.35;
/** A stage that begins as the one before ends is behind it, give or take a moment. */
const NEARLY = 0.1;
const MOST_BARS = 400;
const TASK_LANES = 3;

export interface StageBarsProps {
  stages: readonly Stage[];
  pages: ReadonlyMap<string, StageTaskPage>;
  scale: Scale;
  selection: Selection;
  onSelection: (selection: Selection) => void;
}

/** In percent of the timeline. */
interface Span {
  left: number;
  /** Enough to be seen. */
  width: number;
  end: number;
}

export function StageBars({ stages, pages, scale, selection, onSelection }: StageBarsProps) {
  const lanes = useMemo(() => {
    const drawn = stages.slice(0, MOST_BARS);
    return laneOf(drawn.map((stage) => spanOf(stage, scale)));
  }, [stages, scale]);
  const count = Math.max(1, ...lanes.map((lane) => lane.lane + 1));
  return (
    <div class="stage-bars">
      <ul style={{ height: `calc(${count} * var(--stage-bar))` }} aria-label="Stages over time">
        {lanes.map(({ span, lane }, index) => {
          const stage = stages[index];
          if (!stage) return null;
          const isChosen = selection.stage === stage.name;
          return (
            <li
              key={stage.name}
              class="stage-bar"
              data-status={stage.status}
              data-dim={selection.stage !== undefined && !isChosen}
              style={{ left: `${span.left}%`, width: `${span.width}%`, top: `calc(${lane} * var(--stage-bar))` }}
            >
              <button
                type="button"
                tabIndex={-1} // the tree has the same by keys
                aria-pressed={isChosen && !selection.taskId}
                title={describe(stage)}
                onClick={() => onSelection(withStage(selection, stage.name))}
              >
                <span class="clipped">{shown(stage.name)}</span>
              </button>
              <Tasks
                tasks={pages.get(stage.name)?.tasks ?? []}
                stage={stage}
                span={span}
                scale={scale}
                chosen={isChosen ? selection.taskId : undefined}
                onTask={(taskId) => onSelection(withTask(selection, stage.name, taskId))}
              />
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function describe(stage: Stage): string {
  const took = stage.durationMs === null ? "" : `, ${sayDuration(stage.durationMs)}`;
  return `${shown(stage.name)}: ${sayStatus(stage.status)}${took}\n${sayCount(stage.logCounts.total, "line")}, ${sayCount(stage.taskCount, "task")}`;
}

interface TasksProps {
  tasks: readonly TaskRowFragment[];
  stage: Stage;
  span: Span;
  scale: Scale;
  chosen: string | undefined;
  onTask: (taskId: string) => void;
}

/** The stage's own lines are the bar itself. */
function Tasks({ tasks, stage, span, scale, chosen, onTask }: TasksProps) {
  const spans = useMemo(() => {
    const drawn = tasks.filter((task) => task.taskId !== stage.name).slice(0, MOST_BARS);
    return laneOf(drawn.map((task) => spanOf(task, scale))).map((placed, index) => ({ ...placed, task: drawn[index] }));
  }, [tasks, scale]);
  if (spans.length === 0) return null;
  return (
    <span
      class="task-bars"
      aria-hidden="true"
      onClick={(event) => {
        const task = (event.target as HTMLElement).dataset.task;
        if (task !== undefined) onTask(task);
      }}
    >
      {spans.map(({ span: own, lane, task }) => task && (
        <span
          key={task.taskId}
          data-task={task.taskId}
          data-status={task.status}
          data-chosen={task.taskId === chosen}
          title={`${task.name ?? task.taskId}: ${sayStatus(task.status)}${task.durationMs === null ? "" : `, ${sayDuration(task.durationMs)}`}`}
          style={{
            left: `${(100 * (own.left - span.left)) / span.width}%`,
            width: `${(100 * own.width) / span.width}%`,
            top: `${(100 * (lane % TASK_LANES)) / TASK_LANES}%`,
          }}
        />
      ))}
    </span>
  );
}

function spanOf(it: { startedAt: string; finishedAt: string | null; status: string }, scale: Scale): Span {
  const left = Math.max(0, Math.min(100 - LEAST, placeOf(scale, it.startedAt)));
  const right = it.finishedAt ? placeOf(scale, it.finishedAt) : it.status === "RUNNING" ? 100 : left;
  return { left, width: Math.max(LEAST, Math.min(100, right) - left), end: right };
}

/** Lays spans into lanes so that what goes on at the same time lies one below the other. */
function laneOf(spans: readonly Span[]): { span: Span; lane: number }[] {
  const ends: number[] = [];
  return spans.map((span) => {
    const free = ends.findIndex((end) => end <= span.left + NEARLY);
    const lane = free < 0 ? ends.length : free;
    ends[lane] = span.end;
    return { span, lane };
  });
}
