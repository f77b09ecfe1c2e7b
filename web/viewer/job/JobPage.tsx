// A job: how it goes, its stages and tasks, when it said what, and its log.
import { useEffect, useMemo, useState } from "preact/hooks";
import type { ComponentChildren } from "preact";

import type { JobHeadFragment } from "../graph/generated";
import { useShortcuts } from "../shortcuts";
import { LogPane } from "../log/LogPane";
import { Preference, useObserved } from "../observed";
import { href, merged, place, setParams } from "../routes";
import { type Selection, readSelection, selectionParams } from "../selection";
import { Liveness } from "../ui/Liveness";
import { Problem } from "../ui/Problem";
import { sayStatus } from "../ui/Status";
import { lazy } from "../ui/lazy";
import { useMedia } from "../ui/media";
import { JobHead, hasFailed } from "./JobHead";
import { StageTree } from "./StageTree";
import { Timeline } from "./Timeline";
import { useJob } from "./liveJob";
import { StageTasks } from "./stageTasks";

const Comparison = lazy(async () => (await import("./Comparison")).Comparison);
const Failure = lazy(async () => (await import("./Failure")).Failure);

const timeline = new Preference("timeline", ["open", "closed"], innerWidth < 700 ? "closed" : "open");

type View = "log" | "failure" | "comparison";

export function JobPage({ jobId }: { jobId: string }) {
  const { job, live, error, retry } = useJob(jobId);
  useEffect(() => {
    document.title = job ? `${sayStatus(job.status)}: ${job.handlerName} ${jobId} - Jobtail` : `${jobId} - Jobtail`;
  }, [jobId, job?.status, job?.handlerName]);
  if (error && !error.passes) return <Problem error={error} onRetry={retry} />;
  if (job) return <KnownJob job={job} live={live} />;
  if (error) return <Problem error={error} onRetry={retry} />;
  return (
    <section class="notice">
      <h1 class="mono">{jobId}</h1>
      <Liveness state={live} />
      <p>Nothing was heard of this job yet. It shows here with its first line; there is no need to load the page again.</p>
      <p class="actions">
        <a class="button" href={href({ page: "jobs" }, { search: jobId })}>
          Look for it among all jobs
        </a>
      </p>
    </section>
  );
}

function KnownJob({ job, live }: { job: JobHeadFragment; live: "live" | "finished" | "reconnecting" | "waiting" }) {
  const { params } = useObserved(place);
  const selection = useMemo(() => readSelection(params), [params]);
  const view = readView(params.get("view"));
  const select = (selected: Selection) => setParams({ ...selectionParams(selected), view: null });
  const tasks = useMemo(() => new StageTasks(job.jobId), [job.jobId]);
  useEffect(() => () => tasks.close(), [tasks]);
  useEffect(() => tasks.learn(job.stages), [tasks, job.stages]);
  const isNarrow = useMedia("(max-width: 56.25rem)");
  const [isTreeOpen, setIsTreeOpen] = useState(false);
  const isTimelineOpen = useObserved(timeline) === "open";
  useShortcuts(
    "Job",
    [
      { keys: ["l"], does: "Log", run: () => setParams({ view: null }) },
      { keys: ["x"], does: "Why it failed", run: () => setParams({ view: "failure" }) },
      { keys: ["d"], does: "Compare with the last good run", run: () => setParams({ view: "comparison" }) },
      { keys: ["s"], does: "Stages and tasks", run: () => focusTree(() => setIsTreeOpen(true)) },
      { keys: ["h"], does: "Show or hide the timeline", run: () => timeline.turn() },
    ],
    [],
  );
  const tree = (
    <StageTree
      job={job}
      tasks={tasks}
      selection={selection}
      onSelection={(selected) => {
        select(selected);
        setIsTreeOpen(false);
      }}
    />
  );
  const isStale = live === "reconnecting";
  return (
    <div class="job">
      <div data-stale={isStale}>
        <JobHead job={job} live={live} />
        {isTimelineOpen && (
          <Timeline job={job} tasks={tasks} isStale={isStale} selection={selection} onSelection={select} />
        )}
      </div>
      <div class="job-bar">
        {isNarrow && (
          <button
            type="button"
            class="button"
            aria-expanded={isTreeOpen}
            aria-controls="stages"
            onClick={() => setIsTreeOpen(!isTreeOpen)}
          >
            Stages
          </button>
        )}
        <nav class="tabs" aria-label="Views of the job">
          <ViewLink job={job} view="log" present={view}>
            Log
          </ViewLink>
          {(hasFailed(job) || view === "failure") && (
            <ViewLink job={job} view="failure" present={view}>
              {job.status === "FAILED" ? "Why it failed" : "Errors"}
            </ViewLink>
          )}
          <ViewLink job={job} view="comparison" present={view}>
            Compare
          </ViewLink>
        </nav>
        <button type="button" class="button quiet" aria-expanded={isTimelineOpen} onClick={() => timeline.turn()}>
          Timeline {isTimelineOpen ? "▴" : "▾"}
        </button>
      </div>
      <div class="job-body">
        {(!isNarrow || isTreeOpen) && (
          <aside id="stages" class="job-tree" aria-label="Stages and tasks" data-stale={isStale}>
            {tree}
          </aside>
        )}
        <div class="job-view">
          {view === "log" && <LogPane job={job} selection={selection} onSelection={select} />}
          {view === "failure" && <Failure job={job} />}
          {view === "comparison" && <Comparison job={job} />}
        </div>
      </div>
    </div>
  );
}

function readView(text: string | null): View {
  return text === "failure" || text === "comparison" ? text : "log";
}

interface ViewLinkProps {
  job: JobHeadFragment;
  view: View;
  present: View;
  children: ComponentChildren;
}

function ViewLink({ job, view, present, children }: ViewLinkProps) {
  const { params } = useObserved(place);
  return (
    <a
      class="tab"
      href={href({ page: "job", jobId: job.jobId }, merged(params, { view: view === "log" ? null : view }))}
      aria-current={view === present ? "page" : undefined}
    >
      {children}
    </a>
  );
}

function focusTree(open: () => void): void {
  open();
  requestAnimationFrame(() =>
    requestAnimationFrame(() => document.querySelector<HTMLElement>("#stages [role=treeitem][tabindex='0']")?.focus()),
  );
}
