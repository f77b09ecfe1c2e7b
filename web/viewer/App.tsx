// The frame around every page, and which page it is.
import { useState } from "preact/hooks";

import { connection } from "./graph/client";
import { JobPage } from "./job/JobPage";
import { JobsPage } from "./jobs/JobsPage";
import { useShortcuts } from "./shortcuts";
import { useObserved } from "./observed";
import { type Route, go, path, place } from "./routes";
import { theme } from "./theme";
import { timeStyle } from "./time";
import { TokenDialog } from "./ui/TokenDialog";
import { lazy } from "./ui/lazy";

const ExecutionPage = lazy(async () => (await import("./executions/ExecutionPage")).ExecutionPage);
const ExecutionsPage = lazy(async () => (await import("./executions/ExecutionsPage")).ExecutionsPage);
const SearchPage = lazy(async () => (await import("./search/SearchPage")).SearchPage);
const KeysDialog = lazy(async () => (await import("./ui/KeysDialog")).KeysDialog);

export function App() {
  const { route } = useObserved(place);
  const [showsKeys, setShowsKeys] = useState(false);
  useShortcuts(
    "Everywhere",
    [
      { keys: ["?"], does: "Show the keys", run: () => setShowsKeys(true) },
      { keys: ["1"], does: "Jobs", run: () => go("/") },
      { keys: ["2"], does: "Executions", run: () => go("/executions") },
      { keys: ["3"], does: "Search in all jobs", run: () => go("/search") },
      { keys: ["t"], does: "Times since when, local, or in UTC", run: () => timeStyle.turn() },
      { keys: ["T"], does: "Dark or light", run: () => theme.turn() },
    ],
    [],
  );
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <Bar route={route} onKeys={() => setShowsKeys(true)} />
      <main id="main" tabIndex={-1}>
        <Page route={route} />
      </main>
      <TokenDialog />
      {showsKeys && <KeysDialog onClose={() => setShowsKeys(false)} />}
    </>
  );
}

/** The hash is the log's, so that the link moves the focus alone. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Page({ route }: { route: Route | null }) {
  switch (route?.page) {
    case "jobs":
      return <JobsPage />;
    case "job":
      return <JobPage key={route.jobId} jobId={route.jobId} />;
    case "executions":
      return <ExecutionsPage />;
    case "search":
      return <SearchPage />;
    case "execution":
      return <ExecutionPage key={route.executionId} executionId={route.executionId} />;
    case undefined:
      return (
        <section class="notice">
          <h1>There is no such page</h1>
          <p>
            The address leads nowhere. <a href="/">Look at the jobs</a>.
          </p>
        </section>
      );
  }
}

function Bar({ route, onKeys }: { route: Route | null; onKeys: () => void }) {
  return (
    <header class="bar">
      <a class="brand" href="/">
        <svg viewBox="0 0 16 16" width="18" height="18" aria-hidden="true">
          <rect width="16" height="16" rx="3" fill="#0f766e" />
          <path d="M3 4.5h10M3 8h7M3 11.5h4" stroke="#fff" stroke-width="1.6" stroke-linecap="round" />
        </svg>
        Jobtail
      </a>
      <nav aria-label="Pages">
        <Tab to={{ page: "jobs" }} isHere={route?.page === "jobs" || route?.page === "job"}>
          Jobs
        </Tab>
        <Tab to={{ page: "executions" }} isHere={route?.page === "executions" || route?.page === "execution"}>
          Executions
        </Tab>
        <Tab to={{ page: "search" }} isHere={route?.page === "search"}>
          Search
        </Tab>
      </nav>
      <ConnectionState />
      <div class="bar-choices">
        <TimeChoice />
        <ThemeChoice />
        <button type="button" class="button quiet" onClick={onKeys} aria-label="Show the keys" title="Show the keys (?)">
          ?
        </button>
        <a class="button quiet" href="/graphql" title="GraphiQL: explore the API">
          API
        </a>
      </div>
    </header>
  );
}

function Tab({ to, isHere, children }: { to: Route; isHere: boolean; children: string }) {
  return (
    <a href={path(to)} class="tab" aria-current={isHere ? "page" : undefined}>
      {children}
    </a>
  );
}

/** Says nothing while all is well. */
function ConnectionState() {
  const state = useObserved(connection);
  return (
    <span class="connection" role="status">
      {state === "lost" && "Connection lost, reconnecting"}
    </span>
  );
}

const TIME_WORDS = { relative: "ago", local: "local", utc: "UTC" };

function TimeChoice() {
  const style = useObserved(timeStyle);
  return (
    <button
      type="button"
      class="button quiet"
      onClick={() => timeStyle.turn()}
      aria-label={`Times: ${TIME_WORDS[style]}`}
      title="Times since when, local, or in UTC (t)"
    >
      {TIME_WORDS[style]}
    </button>
  );
}

function ThemeChoice() {
  const choice = useObserved(theme);
  return (
    <button
      type="button"
      class="button quiet"
      onClick={() => theme.turn()}
      aria-label={`Colours: ${choice}`}
      title={`Colours: ${choice} (T)`}
    >
      <svg viewBox="0 0 16 16" width="15" height="15" aria-hidden="true">
        {choice === "dark" ? (
          <path d="M12.8 10.2A5.6 5.6 0 0 1 5.8 3.2a5.6 5.6 0 1 0 7 7z" fill="currentColor" />
        ) : (
          <>
            <circle cx="8" cy="8" r="5.2" fill="none" stroke="currentColor" stroke-width="1.6" />
            {choice === "system" && <path d="M8 2.8a5.2 5.2 0 0 1 0 10.4z" fill="currentColor" />}
            {choice === "light" && <circle cx="8" cy="8" r="2.4" fill="currentColor" />}
          </>
        )}
      </svg>
    </button>
  );
}
