// What a click on a stage, a task or a time does to the selection: it selects, and once more clears.
import type { Selection } from "../selection";

export function withStage(selection: Selection, stage: string): Selection {
  const isChosen = selection.stage === stage && !selection.taskId;
  return without(selection, ["stage", "taskId"], isChosen ? {} : { stage });
}

export function withTask(selection: Selection, stage: string, taskId: string): Selection {
  const isChosen = selection.stage === stage && selection.taskId === taskId;
  return without(selection, ["stage", "taskId"], isChosen ? {} : { stage, taskId });
}

export function withTimes(selection: Selection, since: string, until: string): Selection {
  const isChosen = selection.since === since && selection.until === until;
  return without(selection, ["since", "until"], isChosen ? {} : { since, until });
}

function without(selection: Selection, names: readonly (keyof Selection)[], changes: Selection): Selection {
  const kept = Object.fromEntries(Object.entries(selection).filter(([name]) => !names.includes(name as keyof Selection)));
  return { ...kept, ...changes };
}
