// What a selection asks of the API, and how it is said.
import type { LogFilter } from "../../graph/generated";
import type { Selection } from "../../selection";

/** All of a selection but its search; null where it leaves nothing out. */
export function filterOf({ stage, taskId, since, until, levels, minLevel }: Selection): LogFilter | null {
  const filter: LogFilter = {
    ...(stage && { stages: [stage] }),
    ...(taskId && { taskIds: [taskId] }),
    ...(since && { since }),
    ...(until && { until }),
    ...(levels && { levels: [...levels] }),
    ...(minLevel && { minLevel }),
  };
  return Object.keys(filter).length > 0 ? filter : null;
}

export function searchOf({ search, regex }: Selection): LogFilter | null {
  return search ? { search, regex: regex ?? false } : null;
}

export function joined(one: LogFilter | null, other: LogFilter | null): LogFilter | null {
  return one || other ? { ...one, ...other } : null;
}

export function without(selection: Selection, ...names: (keyof Selection)[]): Selection {
  return Object.fromEntries(Object.entries(selection).filter(([name]) => !names.includes(name as keyof Selection)));
}
