// Which levels are shown: those from one on, or exactly some.
import type { JobHeadFragment, LogLevel } from "../graph/generated";
import { LEVELS, type Selection } from "../selection";
import { without } from "./model/lineFilter";
import { Menu } from "./Menu";

interface LevelMenuProps {
  counts: JobHeadFragment["logCounts"];
  selection: Selection;
  onSelection: (selection: Selection) => void;
}

export function LevelMenu({ counts, selection, onSelection }: LevelMenuProps) {
  const rest = without(selection, "levels", "minLevel");
  const { levels = [], minLevel } = selection;
  const toggle = (level: LogLevel) => {
    const next = LEVELS.filter((each) => levels.includes(each) !== (each === level));
    onSelection({ ...rest, ...(next.length > 0 && { levels: next }) });
  };
  return (
    <Menu label="Levels" text={sayLevels(selection)}>
      <label class="log-field">
        From this level on
        <select
          value={minLevel ?? ""}
          onChange={(event) => {
            const level = LEVELS.find((each) => each === event.currentTarget.value);
            onSelection({ ...rest, ...(level && { minLevel: level }) });
          }}
        >
          <option value="">any</option>
          {LEVELS.map((level) => (
            <option key={level} value={level}>
              {level}
            </option>
          ))}
        </select>
      </label>
      <fieldset>
        <legend>Only these levels</legend>
        {LEVELS.map((level) => (
          <label key={level} class={`log-choice is-${level.toLowerCase()}`}>
            <input type="checkbox" checked={levels.includes(level)} onChange={() => { toggle(level); }} />
            <span class="log-level">{level}</span>
            <span class="log-count">{counts[countOf(level)].toLocaleString("en")}</span>
          </label>
        ))}
      </fieldset>
    </Menu>
  );
}

function countOf(level: LogLevel): Exclude<keyof JobHeadFragment["logCounts"], "total"> {
  return level.toLowerCase() as Exclude<keyof JobHeadFragment["logCounts"], "total">;
}

export function sayLevels({ levels, minLevel }: Selection): string {
  if (minLevel) return `≥ ${minLevel}`;
  return levels?.length ? levels.join(", ") : "Levels";
}
