// What a job is, and how it goes.
import { useState } from "preact/hooks";
import type { ComponentChildren } from "preact";

import { sayJson } from "../graph/exactJson";
import type { JobHeadFragment } from "../graph/generated";
import { isOver } from "../jobs/JobTable";
import { ShownText } from "../log/LineText";
import { copyText } from "../log/text/copying";
import { telling } from "../log/text/telling";
import { shown } from "../log/text/terminal";
import { href, jobHref } from "../routes";
import { sayAgo, sayWhole, useNow } from "../time";
import { Duration } from "../ui/Duration";
import { type Live, Liveness } from "../ui/Liveness";
import { ProgressBar } from "../ui/ProgressBar";
import { Status } from "../ui/Status";
import { Time } from "../ui/Time";
import { sayCount, sayNumber } from "../ui/numbers";

/** So many characters of an error lie in the head: the log begins below. */
const MOST_SAID = 300;
/** A job is not silent before this, nor before so many of its usual gaps between lines. */
const MOST_SILENT_MS = 60_000;
const LONG_GAPS = 20;

export interface JobHeadProps {
  job: JobHeadFragment;
  live: Live;
}

export function JobHead({ job, live }: JobHeadProps) {
  return (
    <header class="job-top">
      <div class="job-title">
        <Status status={job.status} />
        <h1>{shown(job.handlerName)}</h1>
        <CopyId jobId={job.jobId} />
        <Liveness state={live} />
        {hasFailed(job) && (
          <a class="button danger" href={jobHref(job.jobId, { view: "failure" })}>
            {job.status === "FAILED" ? "Why did it fail?" : "What went wrong?"}
          </a>
        )}
      </div>
      <dl class="facts">
        <Fact name="Took">
          <Duration durationMs={job.durationMs} since={isOver(job) ? null : job.startedAt} />
        </Fact>
        <LastLine job={job} />
        <Fact name="Began">
          <Time at={job.startedAt ?? job.createdAt} />
        </Fact>
        {job.progress && !isOver(job) && (
          <Fact name="Progress">
            <span class="job-progress">
              <ProgressBar progress={job.progress} label="Progress" />
            </span>
          </Fact>
        )}
        <Fact name="Lines">
          <Levels job={job} />
        </Fact>
        {job.logsPrunedBefore && (
          <Fact name="Pruned">
            lines from before <Time at={job.logsPrunedBefore} />
          </Fact>
        )}
        {job.result && <Fact name="Result">{shown(job.result)}</Fact>}
        {job.source && <Fact name="Source">{shown(job.source)}</Fact>}
        {job.scheduleId && (
          <Fact name="Schedule">
            <a href={href({ page: "executions" }, { schedule: job.scheduleId })}>{job.scheduleId}</a>
          </Fact>
        )}
        {job.execution && (
          <Fact name="Execution">
            <a href={href({ page: "execution", executionId: job.execution.executionId })}>{job.execution.executionId}</a>
          </Fact>
        )}
        {job.parent && (
          <Fact name="Started by">
            <Related job={job.parent} />
          </Fact>
        )}
        <Children job={job} />
        {job.metadata !== null && <Metadata value={job.metadata} />}
      </dl>
      {job.error && <ErrorText text={job.error} />}
    </header>
  );
}

export function hasFailed(job: JobHeadFragment): boolean {
  return job.status === "FAILED" || job.logCounts.error + job.logCounts.critical > 0;
}

function CopyId({ jobId }: { jobId: string }) {
  const [isCopied, setIsCopied] = useState(false);
  return (
    <button
      type="button"
      class="job-name mono"
      title={`${jobId}\nCopy it`}
      onClick={() => {
        void copyText(jobId).then(() => {
          setIsCopied(true);
          setTimeout(() => setIsCopied(false), 1_500);
        });
      }}
    >
      <span class="clipped">{shown(jobId)}</span>
      <span class="muted" role="status">
        {isCopied ? "copied" : ""}
      </span>
    </button>
  );
}

/** How long a running job has been silent: amber beyond several times its usual gap. */
function LastLine({ job }: { job: JobHeadFragment }) {
  const now = useNow(!isOver(job));
  if (isOver(job) || !job.lastLineAt) return null;
  const silentMs = now - Date.parse(job.lastLineAt);
  const gapMs = (Date.parse(job.lastLineAt) - Date.parse(job.createdAt)) / Math.max(job.lastSeq, 1);
  const isLong = silentMs > Math.max(MOST_SILENT_MS, LONG_GAPS * gapMs);
  return (
    <Fact name="Last line">
      <time
        class={isLong ? "silent" : undefined}
        dateTime={job.lastLineAt}
        title={`${sayWhole(job.lastLineAt)}${isLong ? "\nIt has been silent for much longer than it usually is" : ""}`}
      >
        {sayAgo(silentMs)}
      </time>
    </Fact>
  );
}

/** Counts by level; each leads to its lines. */
function Levels({ job }: { job: JobHeadFragment }) {
  const { total, warning, error, critical } = job.logCounts;
  return (
    <span class="levels number">
      {sayNumber(total)}
      {warning > 0 && (
        <a class="counts-warning" href={jobHref(job.jobId, { level: "WARNING" })}>
          {sayCount(warning, "warning")}
        </a>
      )}
      {error > 0 && (
        <a class="counts-error" href={jobHref(job.jobId, { level: "ERROR" })}>
          {sayCount(error, "error")}
        </a>
      )}
      {critical > 0 && (
        <a class="counts-critical" href={jobHref(job.jobId, { level: "CRITICAL" })}>
          {sayNumber(critical)} critical
        </a>
      )}
    </span>
  );
}

function Related({ job }: { job: NonNullable<JobHeadFragment["parent"]> }) {
  return (
    <a class="related" href={jobHref(job.jobId)} title={job.jobId}>
      <Status status={job.status} isBrief /> {shown(job.handlerName)} <span class="mono">{shown(job.jobId)}</span>
    </a>
  );
}

function Children({ job }: { job: JobHeadFragment }) {
  const { totalCount, nodes } = job.children;
  if (totalCount === 0) return null;
  return (
    <More name="Children" summary={`Started ${sayCount(totalCount, "job")}`}>
      <ul class="more-panel">
        {nodes.map((child) => (
          <li key={child.jobId}>
            <Related job={child} />
          </li>
        ))}
        {totalCount > nodes.length && <li class="muted">and {sayNumber(totalCount - nodes.length)} older ones</li>}
      </ul>
    </More>
  );
}

function Metadata({ value }: { value: unknown }) {
  return (
    <More name="Metadata" summary="Metadata">
      <pre class="more-panel" tabIndex={0} aria-label="Metadata of the job">{sayJson(value)}</pre>
    </More>
  );
}

/** A fact that takes room, and shows on demand. */
function More({ name, summary, children }: { name: string; summary: string; children: ComponentChildren }) {
  return (
    <div>
      <dt class="unseen">{name}</dt>
      <dd>
        <details class="more">
          <summary>{summary}</summary>
          {children}
        </details>
      </dd>
    </div>
  );
}

/** What went wrong in a line or two, and all of the error on demand. */
function ErrorText({ text }: { text: string }) {
  const said = telling(text);
  if (said === shown(text).trim() && said.length <= MOST_SAID) return <p class="job-why">{said}</p>;
  return (
    <details class="job-why">
      <summary>{said.slice(0, MOST_SAID)}</summary>
      <pre tabIndex={0} aria-label="The whole error">
        <ShownText text={text} />
      </pre>
    </details>
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
