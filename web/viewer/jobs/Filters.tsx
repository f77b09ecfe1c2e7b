// Chooses jobs, in the query string.
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { setParams } from "../routes";
import { Status, sayStatus } from "../ui/Status";
import { type JobChoice, PERIODS, STATUSES } from "./jobChoice";

const PAUSE_MS = 250;

export interface FiltersProps {
  choice: JobChoice;
  handlers: readonly string[];
  search: RefObject<HTMLInputElement | null>;
}

export function Filters({ choice, handlers, search }: FiltersProps) {
  return (
    <form class="filters" role="search" aria-label="Choose jobs" onSubmit={(event) => event.preventDefault()}>
      <TextFilter
        field={search}
        label="Find jobs"
        hint="Id, handler, source, error"
        value={choice.search}
        onValue={(value) => setParams({ search: value })}
      />
      <TextFilter
        label="Handler"
        hint="Any handler"
        value={choice.handler}
        options={handlers}
        onValue={(value) => setParams({ handler: value })}
      />
      <fieldset class="chips">
        <legend class="unseen">Status</legend>
        {STATUSES.map((status) => (
          <label key={status} class="chip">
            <input
              type="checkbox"
              class="chip-box"
              aria-label={sayStatus(status)}
              checked={choice.statuses.includes(status)}
              onChange={(event) => {
                const others = choice.statuses.filter((other) => other !== status);
                setParams({ status: event.currentTarget.checked ? [...others, status] : others });
              }}
            />
            <Status status={status} />
          </label>
        ))}
        <label class="chip">
          <input
            type="checkbox"
            class="chip-box"
            aria-label="Has errors"
            checked={choice.hasErrors}
            onChange={(event) => setParams({ errors: event.currentTarget.checked ? "1" : null })}
          />
          <span class="counts-error">Has errors</span>
        </label>
      </fieldset>
      <TimeFilter choice={choice} />
    </form>
  );
}

interface TextFilterProps {
  label: string;
  hint: string;
  value: string;
  onValue: (value: string) => void;
  options?: readonly string[];
  field?: RefObject<HTMLInputElement | null>;
}

/** A text that holds once the typing pauses. Escape empties it. */
function TextFilter({ label, hint, value, onValue, options, field }: TextFilterProps) {
  const own = useRef<HTMLInputElement>(null);
  const input = field ?? own;
  const timer = useRef<number | undefined>(undefined);
  useEffect(() => {
    if (input.current && document.activeElement !== input.current) input.current.value = value;
  }, [value]);
  const hold = (text: string) => {
    clearTimeout(timer.current);
    onValue(text.trim());
  };
  return (
    <>
      <input
        ref={input}
        type="search"
        class="input"
        aria-label={label}
        placeholder={hint}
        defaultValue={value}
        list={options && `${label}-options`}
        spellcheck={false}
        autocomplete="off"
        onInput={(event) => {
          const text = event.currentTarget.value;
          clearTimeout(timer.current);
          timer.current = window.setTimeout(() => hold(text), PAUSE_MS);
        }}
        onChange={(event) => hold(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.currentTarget.value = "";
          hold("");
          event.currentTarget.blur();
        }}
      />
      {options && (
        <datalist id={`${label}-options`}>
          {options.map((option) => (
            <option key={option} value={option} />
          ))}
        </datalist>
      )}
    </>
  );
}

function TimeFilter({ choice }: { choice: JobChoice }) {
  const hasOwnTimes = Boolean(choice.since || choice.until);
  const [isOwn, setIsOwn] = useState(hasOwnTimes);
  const choose = (value: string) => {
    setIsOwn(value === "own");
    setParams({ within: value === "own" ? null : value, since: null, until: null });
  };
  return (
    <>
      <select
        class="input"
        aria-label="Time"
        value={isOwn ? "own" : choice.within}
        onChange={(event) => choose(event.currentTarget.value)}
      >
        <option value="">Any time</option>
        {Object.entries(PERIODS).map(([key, period]) => (
          <option key={key} value={key}>
            {period.name}
          </option>
        ))}
        <option value="own">From, to ...</option>
      </select>
      {isOwn && (
        <>
          <TimeField label="Created from" value={choice.since} onValue={(since) => setParams({ since, within: null })} />
          <TimeField label="Created before" value={choice.until} onValue={(until) => setParams({ until, within: null })} />
        </>
      )}
    </>
  );
}

/** A time by the visitor's clock. */
function TimeField({ label, value, onValue }: { label: string; value: string; onValue: (value: string | null) => void }) {
  const local = value && new Date(Date.parse(value) - new Date(value).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  return (
    <input
      type="datetime-local"
      class="input"
      aria-label={label}
      title={label}
      value={local}
      onChange={(event) => {
        const chosen = event.currentTarget.value;
        onValue(chosen ? new Date(chosen).toISOString() : null);
      }}
    />
  );
}
