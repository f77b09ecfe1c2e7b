// Which lines of a job are shown. It lives in the query string, so that an address shows the same to everybody. A click
// on a stage, a task or a time selects it, and once more clears it.
import type { LogLevel } from "./graph/generated";
import type { Params } from "./routes";

export interface Selection {
  stage?: string;
  taskId?: string;
  /** RFC 3339; inclusive. */
  since?: string;
  /** RFC 3339; exclusive. */
  until?: string;
  levels?: readonly LogLevel[];
  minLevel?: LogLevel;
  search?: string;
  regex?: boolean;
  /** Whether lines that the search does not hit are left out. */
  onlyMatches?: boolean;
}

export const LEVELS = ["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] as const satisfies readonly LogLevel[];

export function readSelection(params: URLSearchParams): Selection {
  const levels = params.getAll("level").filter(isLevel);
  const minLevel = params.get("minLevel");
  const texts = { stage: "stage", taskId: "task", since: "since", until: "until", search: "search" };
  const selection: Selection = Object.fromEntries(
    Object.entries(texts).flatMap(([name, param]) => {
      const value = params.get(param);
      return value ? [[name, value]] : [];
    }),
  );
  if (levels.length > 0) selection.levels = levels;
  if (minLevel && isLevel(minLevel)) selection.minLevel = minLevel;
  if (params.has("regex")) selection.regex = true;
  if (params.has("only")) selection.onlyMatches = true;
  return selection;
}

/** All of a selection's params: what is not selected is taken out. */
export function selectionParams(selection: Selection): Params {
  return {
    stage: selection.stage,
    task: selection.taskId,
    since: selection.since,
    until: selection.until,
    level: selection.levels,
    minLevel: selection.minLevel,
    search: selection.search,
    regex: selection.regex ? "1" : undefined,
    only: selection.onlyMatches ? "1" : undefined,
  };
}

export function withStage(selection: Selection, stage: string): Selection {
  const isChosen = selection.stage === stage && !selection.taskId;
  return replaced(selection, ["stage", "taskId"], isChosen ? {} : { stage });
}

export function withTask(selection: Selection, stage: string, taskId: string): Selection {
  const isChosen = selection.stage === stage && selection.taskId === taskId;
  return replaced(selection, ["stage", "taskId"], isChosen ? {} : { stage, taskId });
}

export function withTimes(selection: Selection, since: string, until: string): Selection {
  const isChosen = selection.since === since && selection.until === until;
  return replaced(selection, ["since", "until"], isChosen ? {} : { since, until });
}

function replaced(selection: Selection, names: readonly (keyof Selection)[], changes: Selection): Selection {
  const kept = Object.fromEntries(Object.entries(selection).filter(([name]) => !names.includes(name as keyof Selection)));
  return { ...kept, ...changes };
}

function isLevel(text: string): text is LogLevel {
  return (LEVELS as readonly string[]).includes(text);
}
