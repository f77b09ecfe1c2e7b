// Schedules with how their runs went, and the runs.
import { useEffect, useMemo } from "preact/hooks";

import { connection } from "../graph/client";
import type { ExecutionRowFragment } from "../graph/generated";
import { telling } from "../log/text/telling";
import { shown } from "../log/text/terminal";
import { useObserved } from "../observed";
import { href, place, setParams } from "../routes";
import { sayDuration } from "../time";
import { Duration } from "../ui/Duration";
import { Liveness } from "../ui/Liveness";
import { Problem } from "../ui/Problem";
import { Status } from "../ui/Status";
import { Time } from "../ui/Time";
import { sayCount, sayNumber } from "../ui/numbers";
import { HistoryStrip } from "./HistoryStrip";
import { useExecutions } from "./useExecutions";

const LOOKED_AT = 500;
const STRIP = 60;

export function ExecutionsPage() {
  const { params } = useObserved(place);
  const chosen = params.get("schedule");
  const { executions, totalCount, error } = useExecutions(LOOKED_AT, chosen ?? undefined);
  const isStale = useObserved(connection) === "lost" || Boolean(error?.passes);
  useEffect(() => void (document.title = "Executions - Jobtail"), []);
  const schedules = useMemo(() => bySchedule(executions), [executions]);
  if (error && totalCount === null) return <Problem error={error} />;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Executions</h1>
        <span class="muted number" role="status">
          {totalCount !== null && sayCount(totalCount, "execution")}
          {totalCount !== null && totalCount > executions.length && `, the newest ${sayNumber(executions.length)} below`}
        </span>
        <Liveness state={isStale ? "reconnecting" : "live"} />
        {chosen !== null && (
          <button type="button" class="chip chosen" onClick={() => setParams({ schedule: null })}>
            {chosen} <span aria-hidden="true">×</span>
            <span class="unseen">: show all schedules</span>
          </button>
        )}
      </div>
      <div class="schedules" data-stale={isStale}>
        {schedules.map(([scheduleId, runs]) => (
          <Schedule key={scheduleId} scheduleId={scheduleId} runs={runs} />
        ))}
      </div>
      {totalCount === 0 ? (
        <section class="notice">
          <h2>There are no executions yet</h2>
          <p>A job that names an execution, or the schedule that started it, shows here.</p>
        </section>
      ) : (
        <ExecutionTable executions={executions} isStale={isStale} />
      )}
    </div>
  );
}

function bySchedule(executions: readonly ExecutionRowFragment[]): [string, ExecutionRowFragment[]][] {
  const runs = new Map<string, ExecutionRowFragment[]>();
  for (const execution of executions) {
    const those = runs.get(execution.scheduleId);
    if (those) those.push(execution);
    else runs.set(execution.scheduleId, [execution]);
  }
  return [...runs].sort(([one], [other]) => one.localeCompare(other));
}

function Schedule({ scheduleId, runs }: { scheduleId: string; runs: readonly ExecutionRowFragment[] }) {
  const ended = runs.filter((run) => run.status !== "RUNNING");
  const good = ended.filter((run) => run.status === "COMPLETED").length;
  const took = ended.flatMap((run) => (run.durationMs === null ? [] : [run.durationMs])).sort((a, b) => a - b);
  const median = took[Math.floor(took.length / 2)];
  return (
    <section class="schedule">
      <h2>
        <a href={href({ page: "executions" }, { schedule: scheduleId })}>{scheduleId}</a>
      </h2>
      <p class="muted">
        {ended.length > 0 && `${Math.round((100 * good) / ended.length)} % of ${ended.length} went well`}
        {median !== undefined && `, half of them within ${sayDuration(median)}`}
      </p>
      <HistoryStrip label={`Runs of ${scheduleId}, the newest last`} executions={runs.slice(0, STRIP)} />
    </section>
  );
}

function ExecutionTable({ executions, isStale }: { executions: readonly ExecutionRowFragment[]; isStale: boolean }) {
  return (
    <table class="executions" data-stale={isStale}>
      <thead>
        <tr>
          <th scope="col">Status</th>
          <th scope="col">Execution</th>
          <th scope="col">Schedule</th>
          <th scope="col">What came of it</th>
          <th scope="col">Took</th>
          <th scope="col">Began</th>
        </tr>
      </thead>
      <tbody>
        {executions.map((execution) => (
          <tr key={execution.executionId}>
            <td>
              <Status status={execution.status} />
            </td>
            <td class="job-id">
              <a href={href({ page: "execution", executionId: execution.executionId })}>{execution.executionId}</a>
            </td>
            <td>{execution.scheduleId}</td>
            <td
              class={execution.errorMessage ? "job-error clipped" : "muted clipped"}
              title={shown(execution.errorMessage ?? execution.resultSummary ?? "")}
            >
              {execution.errorMessage ? telling(execution.errorMessage) : shown(execution.resultSummary ?? "")}
            </td>
            <td>
              <Duration
                durationMs={execution.durationMs}
                since={execution.status === "RUNNING" ? execution.startedAt : null}
              />
            </td>
            <td class="muted">
              <Time at={execution.startedAt} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
