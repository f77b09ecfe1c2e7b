// Why a job failed: its first error with what was said around it, the traceback folded out.
import { type ContextLineFragment, FailureDocument, type FailureQuery, type JobHeadFragment } from "../graph/generated";
import { useQuery } from "../graph/useQuery";
import { ShownText } from "../log/LineText";
import { useObserved } from "../observed";
import { jobHref } from "../routes";
import { sayClock, timeStyle } from "../time";
import { Problem } from "../ui/Problem";
import { sayNumber } from "../ui/numbers";
import { isOver } from "../jobs/JobTable";

type Found = NonNullable<NonNullable<FailureQuery["job"]>["failure"]>;

export function Failure({ job }: { job: JobHeadFragment }) {
  const hasErrors = job.logCounts.error + job.logCounts.critical > 0;
  const { answer, error } = useQuery(FailureDocument, { jobId: job.jobId }, [job.jobId, hasErrors, job.status]);
  if (error) return <Problem error={error} />;
  if (answer === undefined) return <p class="view muted">Looking for the first error</p>;
  const failure = answer.job?.failure;
  return (
    <section class="view failure" aria-label="Why it failed">
      {job.error && job.error !== failure?.firstError.message && (
        <>
          <h2>What the job ended with</h2>
          <pre class="error-text" tabIndex={0} aria-label="The error">
            <ShownText text={job.error} />
          </pre>
        </>
      )}
      {failure ? <FirstError job={job} failure={failure} /> : <NoError job={job} />}
    </section>
  );
}

function NoError({ job }: { job: JobHeadFragment }) {
  return (
    <p class="muted">
      {isOver(job) ? "No line at ERROR or above was captured." : "No line at ERROR or above was captured so far."}
    </p>
  );
}

function FirstError({ job, failure }: { job: JobHeadFragment; failure: Found }) {
  const { firstError, context } = failure;
  const traceback = tracebackOf(firstError.metadata);
  return (
    <>
      <div class="failure-head">
        <h2>First error</h2>
        <span class="muted">
          line {sayNumber(firstError.seq)} in <b>{firstError.stage}</b>
          {firstError.taskId && (
            <>
              {" "}
              / <b>{firstError.taskId}</b>
            </>
          )}
        </span>
        <a class="button primary" href={jobHref(job.jobId, {}, `L${firstError.seq}`)}>
          Show in the log
        </a>
        <a class="button" href={jobHref(job.jobId, { view: "comparison" })}>
          Compare with the last good run
        </a>
      </div>
      <pre class="error-text failure-message" tabIndex={0} aria-label="The first error">
        <ShownText text={firstError.message} />
      </pre>
      {traceback && (
        <details open>
          <summary>Traceback</summary>
          <pre class="error-text traceback" tabIndex={0} aria-label="Traceback">
            <ShownText text={traceback} />
          </pre>
        </details>
      )}
      <h2>What was said around it</h2>
      <ol class="context">
        {context.map((line) => (
          <ContextLine key={line.seq} line={line} jobId={job.jobId} isFirstError={line.seq === firstError.seq} />
        ))}
      </ol>
    </>
  );
}

function ContextLine({ line, jobId, isFirstError }: { line: ContextLineFragment; jobId: string; isFirstError: boolean }) {
  const clock = useObserved(timeStyle) === "utc" ? "utc" : "local";
  return (
    <li class="context-line" data-level={line.level} aria-current={isFirstError ? "true" : undefined}>
      <a class="number" href={jobHref(jobId, {}, `L${line.seq}`)} aria-label={`Line ${line.seq}`}>
        {line.seq}
      </a>
      <span class="muted number">{sayClock(line.timestamp, clock, true)}</span>
      <span class="level">{line.level}</span>
      <span class="muted clipped" title={line.taskId ? `${line.stage}/${line.taskId}` : line.stage}>
        {line.taskId ? `${line.stage}/${line.taskId}` : line.stage}
      </span>
      <span class="context-message">
        <ShownText text={line.message} />
      </span>
    </li>
  );
}

/** Where the emitters and loggers that are known put it. */
function tracebackOf(metadata: unknown): string | null {
  if (typeof metadata !== "object" || metadata === null) return null;
  for (const name of ["traceback", "stack", "exception.stacktrace", "stacktrace", "exc_info"]) {
    const value = (metadata as Record<string, unknown>)[name];
    if (typeof value === "string" && value) return value;
  }
  return null;
}
