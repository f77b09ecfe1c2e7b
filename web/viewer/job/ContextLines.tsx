// Lines of a log outside of it: around an error, or at the end.
import type { ContextLineFragment } from "../graph/generated";
import { ShownText } from "../log/LineText";
import { shown } from "../log/text/terminal";
import { useObserved } from "../observed";
import { jobHref } from "../routes";
import { sayClock, sayDate, timeStyle } from "../time";

interface ContextLinesProps {
  jobId: string;
  lines: readonly ContextLineFragment[];
  /** The line that they are about. */
  current?: number;
}

export function ContextLines({ jobId, lines, current }: ContextLinesProps) {
  const clock = useObserved(timeStyle) === "utc" ? "utc" : "local";
  const days = new Set(lines.map((line) => sayDate(line.timestamp, clock)));
  return (
    <ol class="context">
      {lines.map((line) => (
        <ContextLine
          key={line.seq}
          jobId={jobId}
          line={line}
          time={(days.size > 1 ? `${sayDate(line.timestamp, clock)} ` : "") + sayClock(line.timestamp, clock, true)}
          isCurrent={line.seq === current}
        />
      ))}
    </ol>
  );
}

interface ContextLineProps {
  jobId: string;
  line: ContextLineFragment;
  time: string;
  isCurrent: boolean;
}

function ContextLine({ jobId, line, time, isCurrent }: ContextLineProps) {
  const place = shown(line.taskId ? `${line.stage}/${line.taskId}` : line.stage);
  const isOfStderr = streamOf(line.metadata) === "stderr";
  return (
    <li class="context-line" data-level={line.level} data-stream={isOfStderr ? "stderr" : undefined} aria-current={isCurrent ? "true" : undefined}>
      <a class="number" href={jobHref(jobId, {}, `L${line.seq}`)} aria-label={`Line ${line.seq}`}>
        {line.seq}
      </a>
      <span class="muted number">{time}</span>
      <span class="level">{isOfStderr ? "stderr" : line.level}</span>
      <span class="muted clipped" title={place}>
        {place}
      </span>
      <span class="context-message">
        <Ends preview={line.preview} />
      </span>
    </li>
  );
}

/** The two ends of a message, or all of it. */
export function Ends({ preview }: { preview: ContextLineFragment["preview"] }) {
  return (
    <>
      <ShownText text={preview.head} />
      {preview.tail !== null && (
        <>
          <span class="muted"> … {preview.hiddenCharacters.toLocaleString("en")} characters … </span>
          <ShownText text={preview.tail} />
        </>
      )}
    </>
  );
}

function streamOf(metadata: unknown): unknown {
  return typeof metadata === "object" && metadata !== null ? (metadata as { stream?: unknown }).stream : undefined;
}
