// What the bar of the log offers: how lines look, and how to take them along.
import type { Selection } from "../selection";
import { download } from "./downloading";
import { type Look, placing, timing, unfolding, wrapping } from "./look";
import { Menu } from "./Menu";
import { type Pane, sayLines } from "./pane";

export function LookMenu({ look }: { look: Look }) {
  const onTime = (event: Event) => {
    const chosen = timing.choices.find((choice) => choice === (event.currentTarget as HTMLSelectElement).value);
    if (chosen) timing.set(chosen);
  };
  return (
    <Menu label="View">
      <Check label="Wrap lines" isOn={look.isWrapped} onToggle={() => { wrapping.turn(); }} />
      <Check label="Unfold records of several lines" isOn={look.isUnfolded} onToggle={() => { unfolding.turn(); }} />
      <Check label="Stage and task" isOn={look.hasPlace} onToggle={() => { placing.turn(); }} />
      <label class="log-field">
        Times
        <select value={look.time} onChange={onTime}>
          <option value="local">local</option>
          <option value="utc">UTC</option>
          <option value="relative">relative</option>
          <option value="none">hidden</option>
        </select>
      </label>
    </Menu>
  );
}

function Check({ label, isOn, onToggle }: { label: string; isOn: boolean; onToggle: () => void }) {
  return (
    <label class="log-choice">
      <input type="checkbox" checked={isOn} onChange={onToggle} />
      {label}
    </label>
  );
}

export function CopyMenu({ pane }: { pane: Pane }) {
  const range = pane.chosen;
  const what = range ? sayLines(range.to - range.from + 1) : "no line chosen";
  return (
    <Menu label="Copy">
      <p class="log-hint">{what}</p>
      <button type="button" disabled={!range} onClick={() => void pane.copy(false)}>
        Copy messages
      </button>
      <button type="button" disabled={!range} onClick={() => void pane.copy(true)}>
        Copy with time, level and place
      </button>
      <button type="button" disabled={!range} onClick={() => void pane.copyLink()}>
        Copy link
      </button>
    </Menu>
  );
}

export function DownloadMenu({ pane, selection }: { pane: Pane; selection: Selection }) {
  // A search that only highlights leaves no line out.
  const { search, regex, onlyMatches, ...rest } = selection;
  const shown = onlyMatches ? { ...rest, ...(search && { search }), ...(regex && { regex }) } : rest;
  const save = (form: "text" | "ndjson") => {
    download(pane.jobId, shown, form).catch((error: unknown) => { pane.say(`The download failed: ${String(error)}`); });
  };
  return (
    <Menu label="Download">
      <p class="log-hint">{Object.keys(shown).length > 0 ? "the lines that match" : "all lines"}</p>
      <button type="button" onClick={() => { save("text"); }}>
        Text
      </button>
      <button type="button" onClick={() => { save("ndjson"); }}>
        NDJSON
      </button>
    </Menu>
  );
}

