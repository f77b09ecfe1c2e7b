// Rows of jobs, of which those on the screen are drawn. Arrows or j and k go from one to the next, Enter opens it.
import { useEffect, useRef } from "preact/hooks";

import type { JobRowFragment } from "../graph/generated";
import { useShortcuts } from "../shortcuts";
import { telling } from "../log/text/telling";
import { shown } from "../log/text/terminal";
import { jobHref } from "../routes";
import { Counts } from "../ui/Counts";
import { Duration } from "../ui/Duration";
import { ProgressBar } from "../ui/ProgressBar";
import { Status } from "../ui/Status";
import { Time } from "../ui/Time";
import { useMedia } from "../ui/media";
import { useRows } from "../ui/windowed";
import { rowFocus } from "./rowFocus";

const ROW_PX = 34;
/** Three lines a row, where the screen is narrow. */
const CARD_PX = 84;
const MORE_AT_ROWS = 40;
/** Characters of an error: that fit surely, on its line at most, and in the box that shows all of it. */
const FITS = 40;
const MOST_SAID = 300;
const MOST_SHOWN = 2_000;

export interface JobTableProps {
  label: string;
  jobs: readonly JobRowFragment[];
  totalCount: number | null;
  isStale: boolean;
  onMore?: () => void;
}

export function JobTable({ label, jobs, totalCount, isStale, onMore }: JobTableProps) {
  const body = useRef<HTMLDivElement>(null);
  const rowHeight = useMedia("(max-width: 56rem)") ? CARD_PX : ROW_PX;
  const { start, end } = useRows(body, jobs.length, rowHeight);
  useEffect(() => {
    if (end > jobs.length - MORE_AT_ROWS) onMore?.();
  }, [end, jobs.length, onMore]);
  useShortcuts("List", rowFocus(body, jobs.length, rowHeight), [jobs.length, rowHeight]);
  return (
    <div class="jobs" role="table" aria-label={label} aria-rowcount={(totalCount ?? jobs.length) + 1} data-stale={isStale}>
      <div role="rowgroup">
        <div class="jobs-head" role="row" aria-rowindex={1}>
          {["Status", "Handler", "Job", "About", "Progress", "Lines", "Took", "Began"].map((name) => (
            <span key={name} role="columnheader">
              {name}
            </span>
          ))}
        </div>
      </div>
      <div
        ref={body}
        class="jobs-body"
        role="rowgroup"
        style={{ height: `${jobs.length * rowHeight}px`, paddingTop: `${start * rowHeight}px` }}
      >
        {jobs.slice(start, end).map((job, index) => (
          <JobRow key={job.jobId} job={job} index={start + index} />
        ))}
      </div>
    </div>
  );
}

function JobRow({ job, index }: { job: JobRowFragment; index: number }) {
  return (
    <div class="job-row" role="row" aria-rowindex={index + 2} data-index={index}>
      <span role="cell">
        <Status status={job.status} />
      </span>
      <span role="cell" class="job-handler" title={shown(job.handlerName)}>
        {shown(job.handlerName)}
      </span>
      <span role="cell" class="job-id">
        <a href={jobHref(job.jobId)} title={job.jobId} aria-describedby={reasonId(job)}>
          {shown(job.jobId)}
        </a>
      </span>
      <About job={job} />
      <span role="cell" class="job-progress">
        {!isOver(job) && <ProgressBar progress={job.progress} label={`Progress of ${job.jobId}`} />}
      </span>
      <span role="cell" class="job-counts">
        <Counts counts={job.logCounts} />
      </span>
      <span role="cell" class="job-took">
        <Duration durationMs={job.durationMs} since={isOver(job) ? null : job.startedAt} />
      </span>
      <span role="cell" class="job-began muted">
        <Time at={job.startedAt ?? job.createdAt} />
      </span>
    </div>
  );
}

/** Why it failed, which leads to more of it, or else what it works on. The whole error shows while the row is chosen. */
function About({ job }: { job: JobRowFragment }) {
  if (job.status !== "FAILED" || !job.error) {
    const source = shown(job.source ?? "");
    return (
      <span role="cell" class="job-about muted" title={source}>
        {source}
      </span>
    );
  }
  return (
    <span role="cell" class="job-about job-error">
      <a href={jobHref(job.jobId, { view: "failure" })} tabIndex={-1}>
        {telling(job.error).slice(0, MOST_SAID)}
      </a>
      {hasMore(job) && (
        <span class="job-reason" id={reasonId(job)} role="tooltip">
          {shown(job.error).trim().slice(0, MOST_SHOWN)}
        </span>
      )}
    </span>
  );
}

/** Whether an error says more than fits on its line. */
function hasMore(job: JobRowFragment): boolean {
  if (job.status !== "FAILED" || !job.error) return false;
  const said = telling(job.error);
  return said.length > FITS || said !== shown(job.error).trim();
}

function reasonId(job: JobRowFragment): string | undefined {
  return hasMore(job) ? `reason-${job.jobId}` : undefined;
}

export function isOver(job: Pick<JobRowFragment, "status">): boolean {
  return ["COMPLETED", "FAILED", "CANCELLED"].includes(job.status);
}
