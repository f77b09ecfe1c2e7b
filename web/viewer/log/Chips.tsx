// What the log is narrowed to, each part with a button that takes it out.
import type { Selection } from "../selection";
import { sayClock, sayDate } from "../time";
import { without } from "./model/lineFilter";
import { sayLevels } from "./LevelMenu";
import { useClockStyle } from "./look";

interface ChipsProps {
  selection: Selection;
  onSelection: (selection: Selection) => void;
}

export function Chips({ selection, onSelection }: ChipsProps) {
  const chips = chipsOf(selection, useClockStyle());
  if (chips.length === 0) return null;
  return (
    <ul class="log-chips" aria-label="Filters">
      {chips.map(({ text, names }) => (
        <li key={text}>
          <span>{text}</span>
          <button
            type="button"
            aria-label={`Remove the filter ${text}`}
            onClick={() => { onSelection(without(selection, ...names)); }}
          >
            ×
          </button>
        </li>
      ))}
    </ul>
  );
}

interface Chip {
  text: string;
  names: (keyof Selection)[];
}

function chipsOf(selection: Selection, style: "local" | "utc"): Chip[] {
  const { stage, taskId, since, until, levels, minLevel, search, onlyMatches } = selection;
  const chips: Chip[] = [];
  if (stage) chips.push({ text: `stage ${stage}`, names: ["stage"] });
  if (taskId) chips.push({ text: `task ${taskId}`, names: ["taskId"] });
  if (since || until) chips.push({ text: sayPeriod(since, until, style), names: ["since", "until"] });
  if (levels || minLevel) chips.push({ text: sayLevels(selection), names: ["levels", "minLevel"] });
  if (search && onlyMatches) chips.push({ text: `only lines with “${search}”`, names: ["onlyMatches"] });
  return chips;
}

function sayPeriod(since: string | undefined, until: string | undefined, style: "local" | "utc"): string {
  const say = (iso: string) => `${sayDate(iso, style)} ${sayClock(iso, style, true)}`;
  if (since && until) return `${say(since)} to ${say(until)}`;
  return since ? `since ${say(since)}` : `until ${say(until ?? "")}`;
}
