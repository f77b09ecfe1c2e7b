// Stages and their tasks as a tree. However many tasks there are, those on the screen are drawn.
import { useEffect, useRef, useState } from "preact/hooks";

import type { JobHeadFragment, TaskRowFragment } from "../graph/generated";
import { shown } from "../log/text/terminal";
import { useObserved } from "../observed";
import { type Selection, withStage, withTask } from "../selection";
import { Counts } from "../ui/Counts";
import { Duration } from "../ui/Duration";
import { Status } from "../ui/Status";
import { sayCount, sayNumber } from "../ui/numbers";
import { useRows } from "../ui/windowed";
import type { Stage, StageTasks } from "./stageTasks";

const ROW_PX = 28;
const MORE_AT_ROWS = 50;

export interface StageTreeProps {
  job: JobHeadFragment;
  tasks: StageTasks;
  selection: Selection;
  onSelection: (selection: Selection) => void;
}

type Row =
  | { kind: "stage"; key: string; stage: Stage; isOpen: boolean }
  | { kind: "task"; key: string; stage: Stage; task: TaskRowFragment; index: number };

export function StageTree({ job, tasks, selection, onSelection }: StageTreeProps) {
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set(selection.taskId ? [selection.stage ?? ""] : []));
  const [activeKey, setActiveKey] = useState<string | null>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const pages = useObserved(tasks.pages);
  useEffect(() => {
    for (const stage of open) tasks.want(stage);
  }, [open, tasks]);
  const rows = job.stages.flatMap((stage): Row[] => {
    const isOpen = open.has(stage.name);
    const row: Row = { kind: "stage", key: stage.name, stage, isOpen };
    const own = isOpen ? (pages.get(stage.name)?.tasks ?? []) : [];
    return [row, ...own.map((task, index): Row => ({ kind: "task", key: `${stage.name}\n${task.taskId}`, stage, task, index }))];
  });
  const { start, end } = useRows(list, rows.length, ROW_PX, scroller);
  useEffect(() => {
    const last = rows[Math.min(end + MORE_AT_ROWS, rows.length) - 1];
    if (last?.kind === "task" && pages.get(last.stage.name)?.hasMore) void tasks.more(last.stage.name);
  }, [end, rows.length]);

  const active = Math.max(0, rows.findIndex((row) => row.key === activeKey));
  const toggle = (row: Row, wanted: boolean) => {
    const next = new Set(open);
    if (wanted) next.add(row.stage.name);
    else next.delete(row.stage.name);
    setOpen(next);
  };
  const select = (row: Row) =>
    onSelection(
      row.kind === "stage" ? withStage(selection, row.stage.name) : withTask(selection, row.stage.name, row.task.taskId),
    );
  const focus = (index: number) => {
    const row = rows[Math.max(0, Math.min(index, rows.length - 1))];
    if (!row || !scroller.current) return;
    const at = rows.indexOf(row);
    const top = at * ROW_PX;
    const view = scroller.current;
    if (top < view.scrollTop) view.scrollTop = top;
    else if (top + ROW_PX > view.scrollTop + view.clientHeight) view.scrollTop = top + ROW_PX - view.clientHeight;
    setActiveKey(row.key);
    requestAnimationFrame(() =>
      requestAnimationFrame(() =>
        list.current?.querySelector<HTMLElement>(`[data-row="${at}"]`)?.focus({ preventScroll: true }),
      ),
    );
  };
  const onKey = (event: KeyboardEvent) => {
    const row = rows[active];
    if (!row || event.ctrlKey || event.metaKey || event.altKey || !actOnKey(event.key, row)) return;
    event.preventDefault();
  };
  const actOnKey = (key: string, row: Row): boolean => {
    if (key === "ArrowDown" || key === "j") focus(active + 1);
    else if (key === "ArrowUp" || key === "k") focus(active - 1);
    else if (key === "Home") focus(0);
    else if (key === "End") focus(rows.length - 1);
    else if (key === "ArrowRight" && row.kind === "stage" && row.isOpen) focus(active + 1);
    else if (key === "ArrowRight" && row.kind === "stage") toggle(row, true);
    else if (key === "ArrowLeft" && row.kind === "stage") toggle(row, false);
    else if (key === "ArrowLeft") focus(rows.findIndex((other) => other.key === row.stage.name));
    else if (key === "Enter" || key === " ") select(row);
    else return false;
    return true;
  };
  if (rows.length === 0) return <p class="tree-empty muted">No stages yet</p>;
  return (
    <div ref={scroller} class="tree-scroller">
      <div
        ref={list}
        class="tree"
        role="tree"
        aria-label="Stages and tasks"
        style={{ height: `${rows.length * ROW_PX}px`, paddingTop: `${start * ROW_PX}px` }}
        onKeyDown={onKey}
      >
        {rows.slice(start, end).map((row, index) => (
          <TreeRow
            key={row.key}
            row={row}
            at={start + index}
            stageCount={job.stages.length}
            stageAt={job.stages.indexOf(row.stage)}
            isActive={start + index === active}
            isChosen={isChosen(row, selection)}
            onToggle={() => toggle(row, !open.has(row.stage.name))}
            onSelect={() => {
              setActiveKey(row.key);
              select(row);
            }}
            onFocus={() => setActiveKey(row.key)}
          />
        ))}
      </div>
    </div>
  );
}

function isChosen(row: Row, selection: Selection): boolean {
  if (row.stage.name !== selection.stage) return false;
  return row.kind === "stage" ? !selection.taskId : row.task.taskId === selection.taskId;
}

interface TreeRowProps {
  row: Row;
  at: number;
  stageCount: number;
  stageAt: number;
  isActive: boolean;
  isChosen: boolean;
  onToggle: () => void;
  onSelect: () => void;
  onFocus: () => void;
}

function TreeRow({ row, at, stageCount, stageAt, isActive, isChosen, onToggle, onSelect, onFocus }: TreeRowProps) {
  const isStage = row.kind === "stage";
  const it = isStage ? row.stage : row.task;
  const isOwn = !isStage && row.task.taskId === row.stage.name;
  const text = shown(isStage ? row.stage.name : isOwn ? "its own lines" : (row.task.name ?? row.task.taskId));
  return (
    <div
      class="tree-row"
      role="treeitem"
      data-row={at}
      data-kind={row.kind}
      tabIndex={isActive ? 0 : -1}
      aria-level={isStage ? 1 : 2}
      aria-setsize={isStage ? stageCount : row.stage.taskCount}
      aria-posinset={isStage ? stageAt + 1 : row.index + 1}
      aria-expanded={isStage ? row.isOpen : undefined}
      aria-selected={isChosen}
      title={isStage ? text : shown([row.task.taskId, row.task.name, row.task.result].filter(Boolean).join("\n"))}
      onClick={onSelect}
      onFocus={onFocus}
    >
      {isStage ? (
        <span
          class="tree-toggle"
          aria-hidden="true"
          onClick={(event) => {
            event.stopPropagation();
            onToggle();
          }}
        >
          {row.isOpen ? "▾" : "▸"}
        </span>
      ) : (
        <span class="tree-toggle" aria-hidden="true" />
      )}
      <Status status={it.status} isBrief />
      <span class={isOwn ? "tree-name muted" : "tree-name"}>{text}</span>
      {isStage && row.stage.taskCount > 1 && (
        <span class="tree-tasks" title={sayCount(row.stage.taskCount, "task")}>
          {sayNumber(row.stage.taskCount)}
          <span class="unseen"> tasks</span>
        </span>
      )}
      <Counts counts={it.logCounts} />
      <span class="tree-took">
        <Duration durationMs={it.durationMs} since={it.status === "RUNNING" ? it.startedAt : null} />
      </span>
    </div>
  );
}
