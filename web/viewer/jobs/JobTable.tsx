// Rows of jobs, of which those on the screen are drawn. Arrows or j and k go from one to the next, Enter opens it.
import { useEffect, useRef } from "preact/hooks";

import type { JobRowFragment } from "../graph/generated";
import { useShortcuts } from "../shortcuts";
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
/** Two lines a row, where the screen is narrow. */
const CARD_PX = 62;
const MORE_AT_ROWS = 40;

export interface JobTableProps {
  label: string;
  jobs: readonly JobRowFragment[];
  totalCount: number | null;
  isStale: boolean;
  onMore?: () => void;
}

export function JobTable({ label, jobs, totalCount, isStale, onMore }: JobTableProps) {
  const body = useRef<HTMLDivElement>(null);
  const rowHeight = useMedia("(max-width: 44rem)") ? CARD_PX : ROW_PX;
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
      <span role="cell" class="job-handler" title={job.handlerName}>
        {job.handlerName}
      </span>
      <span role="cell" class="job-id">
        <a href={jobHref(job.jobId)} title={job.jobId}>
          {job.jobId}
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

/** Why it failed, or else what it works on. */
function About({ job }: { job: JobRowFragment }) {
  const text = job.status === "FAILED" && job.error ? lastLine(job.error) : (job.source ?? "");
  return (
    <span role="cell" class={job.status === "FAILED" && job.error ? "job-about job-error" : "job-about muted"} title={text}>
      {text}
    </span>
  );
}

/** A traceback says last what happened. */
export function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

export function isOver(job: Pick<JobRowFragment, "status">): boolean {
  return ["COMPLETED", "FAILED", "CANCELLED"].includes(job.status);
}
