// Searches the whole job: how many lines are hit, which one is looked at, and the way to the next.
import type { Ref } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import type { Selection } from "../selection";
import { without } from "./model/lineFilter";
import type { Pane } from "./pane";

const TYPING_MS = 300;

interface SearchBoxProps {
  pane: Pane;
  selection: Selection;
  onSelection: (selection: Selection) => void;
  input: Ref<HTMLInputElement>;
}

export function SearchBox({ pane, selection, onSelection, input }: SearchBoxProps) {
  const asked = selection.search ?? "";
  const [typed, setTyped] = useState(asked);
  const timer = useRef<number | undefined>(undefined);
  useEffect(() => { setTyped(asked); }, [asked]);

  const search = (text: string, isEntered = false) => {
    setTyped(text);
    clearTimeout(timer.current);
    const ask = () => { onSelection({ ...without(selection, "search"), ...(text && { search: text }) }); };
    if (isEntered) ask();
    else timer.current = window.setTimeout(ask, TYPING_MS);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter") {
      event.preventDefault();
      if (typed !== asked) search(typed, true);
      else void pane.nextHit(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (typed) search("", true);
      else (event.target as HTMLElement).blur();
    }
  };
  const { hits } = pane;
  return (
    <div class="log-search" role="search" aria-label="Log">
      <span class={hits?.error ? "log-searchbox has-error" : "log-searchbox"}>
        <input
          ref={input}
          type="search"
          aria-label="Search the log"
          aria-invalid={hits?.error ? true : undefined}
          aria-describedby="log-search-state"
          placeholder="Search the log"
          autocomplete="off"
          spellcheck={false}
          value={typed}
          onInput={(event) => { search(event.currentTarget.value); }}
          onKeyDown={onKeyDown}
        />
        <Toggle
          label="Regular expression"
          text=".*"
          isOn={selection.regex ?? false}
          onToggle={(regex) => { onSelection({ ...without(selection, "regex"), ...(regex && { regex }) }); }}
        />
        <Toggle
          label="Filter: only matching lines"
          text="filter"
          isOn={selection.onlyMatches ?? false}
          onToggle={(onlyMatches) => {
            onSelection({ ...without(selection, "onlyMatches"), ...(onlyMatches && { onlyMatches }) });
          }}
        />
      </span>
      <span class="log-hits" id="log-search-state" role="status">
        {hits ? sayHits(pane) : ""}
      </span>
      <button type="button" aria-label="Previous match" title="Previous match (Shift+Enter, N)" disabled={!hits || hits.total === 0} onClick={() => void pane.nextHit(-1)}>
        ↑
      </button>
      <button type="button" aria-label="Next match" title="Next match (Enter, n)" disabled={!hits || hits.total === 0} onClick={() => void pane.nextHit(1)}>
        ↓
      </button>
      {hits?.error && (
        <p class="log-error" role="alert">
          {hits.error.message}
        </p>
      )}
    </div>
  );
}

function sayHits({ hits }: Pane): string {
  if (!hits || hits.error) return "";
  if (hits.total === null) return "Searching…";
  if (hits.total === 0) return "No match";
  const total = hits.total.toLocaleString("en");
  if (hits.position !== null) return `${hits.position.toLocaleString("en")} of ${total}`;
  return `${total} ${hits.total === 1 ? "match" : "matches"}`;
}

interface ToggleProps {
  label: string;
  text: string;
  isOn: boolean;
  onToggle: (isOn: boolean) => void;
}

export function Toggle({ label, text, isOn, onToggle }: ToggleProps) {
  return (
    <button type="button" class="log-toggle" aria-label={label} title={label} aria-pressed={isOn} onClick={() => { onToggle(!isOn); }}>
      {text}
    </button>
  );
}
