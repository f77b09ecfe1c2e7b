// Finds a text in the lines of all jobs: hits come in by job while the search goes on.
import { useEffect, useMemo } from "preact/hooks";

import { serviceNow } from "../clock";
import { FoundJobDocument, type JobFilter, type LogFilter, type LogLevel } from "../graph/generated";
import { useQuery } from "../graph/useQuery";
import { PERIODS } from "../jobs/jobChoice";
import { ShownText } from "../log/LineText";
import { type Finder, finder } from "../log/text/finding";
import { shown } from "../log/text/terminal";
import { useObserved } from "../observed";
import { jobHref, place, setParams } from "../routes";
import { LEVELS } from "../selection";
import { Problem } from "../ui/Problem";
import { Status } from "../ui/Status";
import { Time } from "../ui/Time";
import { sayCount } from "../ui/numbers";
import { type Hit, LogSearch, type SearchState } from "./logSearch";

/** Of each job so many hits are shown; its own log has the others. */
const SHOWN_HITS = 10;

interface Choice {
  text: string;
  isRegex: boolean;
  level: LogLevel | null;
  handler: string;
  within: string;
}

export function SearchPage() {
  const { params } = useObserved(place);
  const key = params.toString();
  const choice = useMemo(() => readChoice(new URLSearchParams(key)), [key]);
  const search = useMemo(() => (choice.text ? new LogSearch(...filtersOf(choice, serviceNow())) : null), [choice]);
  useEffect(() => () => search?.stop(), [search]);
  useEffect(() => void (document.title = "Search - Jobtail"), []);
  return (
    <div class="page">
      <div class="page-head">
        <h1>Search in all jobs</h1>
      </div>
      <Fields choice={choice} />
      {search ? <Found search={search} choice={choice} /> : <p class="muted">Enter what a line says: a text, or a regular expression.</p>}
    </div>
  );
}

function Fields({ choice }: { choice: Choice }) {
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => {
      const value = fields.get(name);
      return typeof value === "string" ? value : "";
    };
    setParams(
      { q: text("q"), regex: text("regex"), minLevel: text("minLevel"), handler: text("handler").trim(), within: text("within") },
      { push: true },
    );
  };
  return (
    <form class="filters" role="search" aria-label="Lines of all jobs" onSubmit={submit} key={JSON.stringify(choice)}>
      <input type="search" class="input" name="q" aria-label="Text" placeholder="What the line says" defaultValue={choice.text} autofocus spellcheck={false} autocomplete="off" />
      <label class="chip">
        <input type="checkbox" name="regex" value="1" defaultChecked={choice.isRegex} /> Regular expression
      </label>
      <select class="input" name="minLevel" aria-label="Level" defaultValue={choice.level ?? ""}>
        <option value="">Any level</option>
        {LEVELS.map((level) => (
          <option key={level} value={level} selected={level === choice.level}>
            {level} and above
          </option>
        ))}
      </select>
      <input type="search" class="input" name="handler" aria-label="Handler" placeholder="Any handler" defaultValue={choice.handler} spellcheck={false} autocomplete="off" />
      <select class="input" name="within" aria-label="Time">
        <option value="">Any time</option>
        {Object.entries(PERIODS).map(([name, period]) => (
          <option key={name} value={name} selected={name === choice.within}>
            {period.name}
          </option>
        ))}
      </select>
      <button type="submit" class="button primary">
        Search
      </button>
    </form>
  );
}

function Found({ search, choice }: { search: LogSearch; choice: Choice }) {
  const state = useObserved(search.state);
  const find = useMemo(() => finder(choice.text, choice.isRegex), [choice]);
  if (state.phase === "failed" && state.error) return <Problem error={state.error} onRetry={() => { search.goOn(); }} />;
  return (
    <>
      <p class="search-state" role="status">
        <State state={state} />{" "}
        {state.phase === "searching" && (
          <button type="button" class="button" onClick={() => { search.stop(); }}>
            Stop
          </button>
        )}
        {(state.phase === "enough" || state.phase === "stopped") && (
          <button type="button" class="button" onClick={() => { search.goOn(); }}>
            Go on
          </button>
        )}
      </p>
      {[...state.jobs].map(([jobId, hits]) => (
        <FoundJob key={jobId} jobId={jobId} hits={hits} choice={choice} find={find} />
      ))}
    </>
  );
}

function State({ state }: { state: SearchState }) {
  const { phase, count, jobs, lookedBackTo, error } = state;
  const found = `${sayCount(count, "line")} in ${sayCount(jobs.size, "job")}`;
  return (
    <>
      {phase === "searching" ? "Searching: " : ""}
      {count === 0 && phase === "done" ? "No line matches" : found}
      {lookedBackTo !== null && (
        <>
          , looked back to <Time at={lookedBackTo} />
        </>
      )}
      {phase === "done" && count > 0 && ", all that there are"}
      {error && ` (${error.message}; trying again)`}
    </>
  );
}

interface FoundJobProps {
  jobId: string;
  hits: readonly Hit[];
  choice: Choice;
  find: Finder;
}

function FoundJob({ jobId, hits, choice, find }: FoundJobProps) {
  const { answer } = useQuery(FoundJobDocument, { jobId }, [jobId]);
  const job = answer?.job;
  const params = { search: choice.text, ...(choice.isRegex && { regex: "1" }) };
  return (
    <section class="found-job" aria-label={`Hits of ${jobId}`}>
      <h2>
        {job && <Status status={job.status} isBrief />}{" "}
        <a href={jobHref(jobId, params)}>
          {job && shown(job.handlerName)} <span class="mono">{shown(jobId)}</span>
        </a>{" "}
        <span class="muted">{sayCount(hits.length, "line")}</span>
      </h2>
      <ol class="context">
        {hits.slice(0, SHOWN_HITS).map((hit) => (
          <li key={hit.seq} class="context-line" data-level={hit.level}>
            <a class="number" href={jobHref(jobId, params, `L${hit.seq}`)} aria-label={`Line ${hit.seq}`}>
              {hit.seq}
            </a>
            <span class="muted number">
              <Time at={hit.timestamp} />
            </span>
            <span class="level">{hit.level}</span>
            <span class="muted clipped">{shown(hit.taskId ? `${hit.stage}/${hit.taskId}` : hit.stage)}</span>
            <span class="context-message">
              <ShownText text={hit.preview.head} find={find} />
              {hit.preview.tail !== null && (
                <>
                  <span class="muted"> … </span>
                  <ShownText text={hit.preview.tail} find={find} />
                </>
              )}
            </span>
          </li>
        ))}
      </ol>
      {hits.length > SHOWN_HITS && (
        <p>
          <a href={jobHref(jobId, { ...params, only: "1" })}>and {sayCount(hits.length - SHOWN_HITS, "more line")} found so far</a>
        </p>
      )}
    </section>
  );
}

function readChoice(params: URLSearchParams): Choice {
  const within = params.get("within") ?? "";
  return {
    text: params.get("q") ?? "",
    isRegex: params.has("regex"),
    level: LEVELS.find((level) => level === params.get("minLevel")) ?? null,
    handler: params.get("handler") ?? "",
    within: within in PERIODS ? within : "",
  };
}

function filtersOf(choice: Choice, now: number): [LogFilter, JobFilter] {
  const period = PERIODS[choice.within];
  return [
    {
      search: choice.text,
      regex: choice.isRegex,
      ...(choice.level && { minLevel: choice.level }),
      ...(period && { since: new Date(now - period.ms).toISOString() }),
    },
    choice.handler ? { handlerNames: [choice.handler] } : {},
  ];
}
