// All jobs, the newest first, live.
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";

import { serviceNow } from "../clock";
import { connection } from "../graph/client";
import { useShortcuts } from "../shortcuts";
import { useObserved } from "../observed";
import { place, setParams } from "../routes";
import { Liveness } from "../ui/Liveness";
import { Problem } from "../ui/Problem";
import { sayCount, sayNumber } from "../ui/numbers";
import { Filters } from "./Filters";
import { JobTable } from "./JobTable";
import { filterOf, readChoice } from "./jobChoice";
import { useJobs } from "./useJobs";

const NO_CHOICE = { status: null, handler: null, search: null, within: null, since: null, until: null, errors: null };

export function JobsPage() {
  const { params } = useObserved(place);
  const text = params.toString();
  const choice = useMemo(() => readChoice(new URLSearchParams(text)), [text]);
  const filter = useMemo(() => filterOf(choice, serviceNow()), [choice]);
  const table = useRef<HTMLDivElement>(null);
  const { state, list } = useJobs(filter, table);
  const isStale = useObserved(connection) === "lost";
  const search = useRef<HTMLInputElement>(null);
  useEffect(() => void (document.title = "Jobs - Jobtail"), []);
  useShortcuts("Jobs", [{ keys: ["/"], does: "Search", run: () => search.current?.focus() }], []);
  const handlers = useHandlers(state.jobs.map((job) => job.handlerName));
  const isChosen = text !== "";
  return (
    <div class="page">
      <div class="page-head">
        <h1>Jobs</h1>
        <span class="muted number" role="status">
          {state.totalCount !== null && sayCount(state.totalCount, "job")}
        </span>
        {(!state.error || state.error.passes) && (
          <Liveness state={isStale || state.error ? "reconnecting" : "live"} />
        )}
      </div>
      <Filters choice={choice} handlers={handlers} search={search} />
      {state.error && !state.error.passes ? (
        <Problem error={state.error} onRetry={() => list.retry()} />
      ) : (
        <div ref={table} class="jobs-frame">
          <Held count={state.held.length} onShow={() => list.showHeld()} />
          <JobTable
            label="Jobs"
            jobs={state.jobs}
            totalCount={state.totalCount}
            isStale={isStale}
            onMore={useCallback(() => void list.more(), [list])}
          />
          {state.totalCount === 0 && state.jobs.length === 0 && <None isChosen={isChosen} />}
          {state.error && state.jobs.length === 0 && <Problem error={state.error} onRetry={() => list.retry()} />}
        </div>
      )}
    </div>
  );
}

/** New jobs that came while somebody looks further down: they wait to be asked for. */
function Held({ count, onShow }: { count: number; onShow: () => void }) {
  return (
    <div class="held" role="status">
      {count > 0 && (
        <button
          type="button"
          class="button primary"
          onClick={() => {
            onShow();
            scrollTo({ top: 0 });
          }}
        >
          {sayNumber(count)} new {count === 1 ? "job" : "jobs"}
        </button>
      )}
    </div>
  );
}

function None({ isChosen }: { isChosen: boolean }) {
  return isChosen ? (
    <section class="notice">
      <h2>No job matches</h2>
      <p class="actions">
        <button type="button" class="button" onClick={() => setParams(NO_CHOICE)}>
          Show all jobs
        </button>
      </p>
    </section>
  ) : (
    <section class="notice">
      <h2>Nothing was captured yet</h2>
      <p>A job shows here as soon as its first line is captured, for instance that of a command:</p>
      <pre>jobtail run -- echo hello</pre>
    </section>
  );
}

/** The handlers that were seen so far: the field offers them. */
function useHandlers(names: readonly string[]): readonly string[] {
  const [seen] = useState(() => new Set<string>());
  for (const name of names) seen.add(name);
  return [...seen].sort();
}
