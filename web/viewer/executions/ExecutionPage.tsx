// A run of a schedule: how it went, the runs beside it, and its jobs, live.
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";

import { connection } from "../graph/client";
import { ExecutionDocument, type ExecutionRowFragment } from "../graph/generated";
import { useQuery } from "../graph/useQuery";
import { JobTable } from "../jobs/JobTable";
import { useJobs } from "../jobs/useJobs";
import { ShownText } from "../log/LineText";
import { shown } from "../log/text/terminal";
import { useObserved } from "../observed";
import { href } from "../routes";
import { Duration } from "../ui/Duration";
import { Liveness } from "../ui/Liveness";
import { Problem } from "../ui/Problem";
import { Status } from "../ui/Status";
import { Time } from "../ui/Time";
import { sayCount } from "../ui/numbers";
import { HistoryStrip } from "./HistoryStrip";
import { useExecutions } from "./useExecutions";

const STRIP = 60;

export function ExecutionPage({ executionId }: { executionId: string }) {
  const frame = useRef<HTMLDivElement>(null);
  const filter = useMemo(() => ({ executionId }), [executionId]);
  const { state, list } = useJobs(filter, frame);
  // How it stands follows from its jobs.
  const changes = state.jobs.map((job) => job.status).join();
  const { answer, error } = useQuery(ExecutionDocument, { executionId }, [executionId, changes]);
  const execution = answer?.execution;
  const isStale = useObserved(connection) === "lost";
  useEffect(() => void (document.title = `${executionId} - Jobtail`), [executionId]);
  const problem = error ?? state.error;
  if (problem && !problem.passes) return <Problem error={problem} onRetry={() => list.retry()} />;
  const live = isStale ? "reconnecting" : !execution ? "waiting" : execution.status === "RUNNING" ? "live" : "finished";
  return (
    <div class="page" ref={frame}>
      <div class="page-head">
        <h1 class="mono">{executionId}</h1>
        {execution && <Status status={execution.status} />}
        <Liveness state={live} />
      </div>
      {execution && <Head execution={execution} />}
      {execution === null && (
        <p class="notice">No job names this execution yet. It shows here as soon as one does.</p>
      )}
      <h2>{state.totalCount === null ? "Jobs" : sayCount(state.totalCount, "job")}</h2>
      <JobTable
        label={`Jobs of ${executionId}`}
        jobs={state.held.length ? [...state.held, ...state.jobs] : state.jobs}
        totalCount={state.totalCount}
        isStale={isStale}
        onMore={() => void list.more()}
      />
    </div>
  );
}

function Head({ execution }: { execution: ExecutionRowFragment }) {
  const { executions } = useExecutions(STRIP, execution.scheduleId);
  const isScheduled = execution.scheduleId !== "unknown";
  return (
    <>
      <dl class="facts">
        {isScheduled && (
          <Fact name="Schedule">
            <a href={href({ page: "executions" }, { schedule: execution.scheduleId })}>{execution.scheduleId}</a>
          </Fact>
        )}
        <Fact name="Began">
          <Time at={execution.startedAt} />
        </Fact>
        <Fact name="Took">
          <Duration durationMs={execution.durationMs} since={execution.startedAt} />
        </Fact>
        {execution.resultSummary && <Fact name="Result">{shown(execution.resultSummary)}</Fact>}
      </dl>
      {execution.errorMessage && (
        <pre class="error-text" tabIndex={0} aria-label="What it ended with">
          <ShownText text={execution.errorMessage} />
        </pre>
      )}
      {isScheduled && (
        <HistoryStrip
          label={`Runs of ${execution.scheduleId}, the newest last`}
          executions={executions}
          current={execution.executionId}
        />
      )}
    </>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
