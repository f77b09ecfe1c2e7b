// Why a job failed: the line that ended it, what failed below it, its first error, and all kinds of errors.
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

import {
  FailureDocument,
  type FailureQuery,
  type GraveLineFragment,
  type JobHeadFragment,
  LastLinesDocument,
  LinesAroundDocument,
} from "../graph/generated";
import { useQuery } from "../graph/useQuery";
import { isOver } from "../jobs/JobTable";
import { ShownText } from "../log/LineText";
import { telling } from "../log/text/telling";
import { shown } from "../log/text/terminal";
import { jobHref } from "../routes";
import { Problem } from "../ui/Problem";
import { sayNumber } from "../ui/numbers";
import { ContextLines, Ends } from "./ContextLines";

type Found = NonNullable<NonNullable<FailureQuery["job"]>["failure"]>;
type Children = FailureQuery["jobs"];

export function Failure({ job }: { job: JobHeadFragment }) {
  const hasErrors = job.logCounts.error + job.logCounts.critical > 0;
  const { answer, error } = useQuery(FailureDocument, { jobId: job.jobId }, [job.jobId, hasErrors, job.status]);
  if (error) return <Problem error={error} />;
  if (answer === undefined) return <p class="view muted">Looking for what ended it</p>;
  const failure = answer.job?.failure ?? null;
  const ended = failure?.cause ?? failure?.firstError ?? null;
  const isSaid = job.error !== null && ended !== null && textOf(ended).includes(shown(job.error).trim());
  return (
    <section class="view failure" aria-label="Why it failed">
      {job.error && !isSaid && (
        <>
          <h2>What the job ended with</h2>
          <pre class="error-text" tabIndex={0} aria-label="The error">
            <ShownText text={job.error} />
          </pre>
        </>
      )}
      {failure ? <Errors job={job} failure={failure} failed={answer.jobs} /> : <NoError job={job} failed={answer.jobs} />}
    </section>
  );
}

function Errors({ job, failure, failed }: { job: JobHeadFragment; failure: Found; failed: Children }) {
  const { cause, firstError, errors } = failure;
  const main = cause ?? firstError;
  return (
    <>
      <GraveLine job={job} line={main} title={cause ? "What ended it" : "First error"} isMain />
      <FailedChildren failed={failed} />
      {firstError.seq !== main.seq && <GraveLine job={job} line={firstError} title="First error" isMain={false} />}
      {(errors.length > 1 || (errors[0]?.count ?? 0) > 1) && <Kinds job={job} errors={errors} />}
      <h2>The lines around it</h2>
      <Around jobId={job.jobId} seq={main.seq} />
    </>
  );
}

function GraveLine({ job, line, title, isMain }: { job: JobHeadFragment; line: GraveLineFragment; title: string; isMain: boolean }) {
  const traceback = tracebackOf(line.metadata);
  return (
    <>
      <div class="failure-head">
        <h2>{title}</h2>
        <span class="muted">
          line {sayNumber(line.seq)} in <b>{shown(line.stage)}</b>
          {line.taskId && (
            <>
              {" "}
              / <b>{shown(line.taskId)}</b>
            </>
          )}
        </span>
        <a class={isMain ? "button primary" : "button"} href={jobHref(job.jobId, {}, `L${line.seq}`)}>
          Show in the log
        </a>
        {isMain && (
          <a class="button" href={jobHref(job.jobId, { view: "comparison" })}>
            Compare with the last good run
          </a>
        )}
      </div>
      <Text label={title} isScrolled>
        <Ends preview={line.preview} />
      </Text>
      {traceback && (
        <details open>
          <summary>Traceback</summary>
          <Text label="Traceback" isScrolled>
            <ShownText text={traceback} />
          </Text>
        </details>
      )}
    </>
  );
}

/** A text that may be long. A traceback says last what happened. */
function Text({ label, isScrolled, children }: { label: string; isScrolled: boolean; children: ComponentChildren }) {
  const box = useRef<HTMLPreElement>(null);
  useLayoutEffect(() => {
    if (isScrolled && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [isScrolled]);
  return (
    <pre ref={box} class="error-text failure-message" tabIndex={0} aria-label={label}>
      {children}
    </pre>
  );
}

function FailedChildren({ failed }: { failed: Children }) {
  if (failed.totalCount === 0) return null;
  const inOrder = [...failed.nodes].sort((one, other) => ((one.finishedAt ?? "") < (other.finishedAt ?? "") ? -1 : 1));
  return (
    <>
      <h2>Jobs that it started and that failed</h2>
      <ul class="failed-children">
        {inOrder.map((child) => {
          const cause = child.failure?.cause;
          const said = cause ? (cause.preview.exception ?? telling(cause.preview.head)) : telling(child.error ?? "");
          return (
            <li key={child.jobId}>
              <a href={jobHref(child.jobId, { view: "failure" })}>
                {shown(child.handlerName)} <span class="mono">{shown(child.jobId)}</span>
              </a>
              <span class="counts-error">{said || "It does not say why"}</span>
            </li>
          );
        })}
      </ul>
      {failed.totalCount > failed.nodes.length && (
        <p class="muted">and {sayNumber(failed.totalCount - failed.nodes.length)} more</p>
      )}
    </>
  );
}

function Kinds({ job, errors }: { job: JobHeadFragment; errors: Found["errors"] }) {
  return (
    <>
      <h2>All kinds of errors</h2>
      <table class="kinds">
        <thead>
          <tr>
            <th scope="col">Lines</th>
            <th scope="col">Stage</th>
            <th scope="col">What they say</th>
          </tr>
        </thead>
        <tbody>
          {errors.map((kind) => (
            <tr key={`${kind.level} ${kind.stage} ${kind.template}`}>
              <td class="number">{sayNumber(kind.count)}</td>
              <td>{shown(kind.stage)}</td>
              <td class="kind-text">
                <a href={jobHref(job.jobId, {}, kind.example ? `L${kind.example.seq}` : "")}>{(kind.example?.preview.exception ?? shown(kind.template)) || "nothing"}</a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function Around({ jobId, seq }: { jobId: string; seq: number }) {
  const { answer, error } = useQuery(LinesAroundDocument, { jobId, seq }, [jobId, seq]);
  if (error) return <Problem error={error} />;
  return <ContextLines jobId={jobId} lines={answer?.job?.logs.nodes ?? []} current={seq} />;
}

/** Where no line is an error, the end of the log says most: a command's exit status alone says nothing. */
function NoError({ job, failed }: { job: JobHeadFragment; failed: Children }) {
  const { answer, error } = useQuery(LastLinesDocument, { jobId: job.jobId }, [job.jobId, job.status]);
  const last = answer?.job?.logs.nodes ?? [];
  return (
    <>
      <FailedChildren failed={failed} />
      <p class="muted">
        {isOver(job) ? "No line at ERROR or above was captured." : "No line at ERROR or above was captured so far."}
      </p>
      {error && <Problem error={error} />}
      {last.length > 0 && (
        <>
          <div class="failure-head">
            <h2>The end of its log</h2>
            <a class="button primary" href={jobHref(job.jobId)}>
              Show the end of the log
            </a>
          </div>
          <ContextLines jobId={job.jobId} lines={last} />
        </>
      )}
    </>
  );
}

function textOf({ preview }: GraveLineFragment): string {
  return shown(preview.head) + shown(preview.tail ?? "");
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
