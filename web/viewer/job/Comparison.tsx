// A job beside the last good run of its handler: what it says anew, what it leaves out, and how long its stages took.
import {
  ComparisonDocument,
  type ComparisonQuery,
  type JobHeadFragment,
  type MessageDifferenceFragment,
} from "../graph/generated";
import { useQuery } from "../graph/useQuery";
import { jobHref } from "../routes";
import { sayDuration } from "../time";
import { Problem } from "../ui/Problem";
import { Status } from "../ui/Status";
import { Time } from "../ui/Time";
import { sayCount, sayNumber } from "../ui/numbers";

type Compared = NonNullable<NonNullable<ComparisonQuery["job"]>["compare"]>;
type StagePair = Compared["stages"][number];

export function Comparison({ job }: { job: JobHeadFragment }) {
  const { answer, error, again } = useQuery(ComparisonDocument, { jobId: job.jobId }, [job.jobId, job.status]);
  if (error) return <Problem error={error} onRetry={again} />;
  if (answer === undefined) return <p class="view muted">Comparing with the last good run</p>;
  const compared = answer.job?.compare;
  if (!compared?.with) return <p class="view muted">{sentence(compared?.reason ?? "there is no run to compare with")}</p>;
  return (
    <section class="view comparison" aria-label="Beside the last good run">
      <div class="failure-head">
        <h2>Beside the last good run</h2>
        <a class="mono" href={jobHref(compared.with.jobId)}>
          {compared.with.jobId}
        </a>
        {compared.with.startedAt && (
          <span class="muted">
            <Time at={compared.with.startedAt} />
          </span>
        )}
        <span class="muted">
          {sayCount(compared.comparedLines, "line")} here, {sayNumber(compared.withComparedLines)} there
        </span>
        {!compared.isComplete && (
          <button type="button" class="button" onClick={again}>
            Not all yet: go on
          </button>
        )}
      </div>
      <Messages title="New" none="Nothing that the good run did not say too" count={compared.newCount} messages={compared.newMessages} />
      <Messages title="Missing" none="Everything that the good run said" count={compared.missingCount} messages={compared.missingMessages} />
      <Messages title="More often" none="" count={compared.moreFrequentCount} messages={compared.moreFrequent} />
      <Stages stages={compared.stages} />
    </section>
  );
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

interface MessagesProps {
  title: string;
  none: string;
  count: number;
  messages: readonly MessageDifferenceFragment[];
}

function Messages({ title, none, count, messages }: MessagesProps) {
  if (count === 0 && !none) return null;
  return (
    <section>
      <h3>
        {title} <span class="muted number">{sayNumber(count)}</span>
      </h3>
      {count === 0 && <p class="muted">{none}</p>}
      <ul class="messages">
        {messages.map((message) => (
          <li key={`${message.stage} ${message.level} ${message.template}`} class="context-line" data-level={message.level}>
            <span class="level">{message.level}</span>
            <span class="muted clipped" title={message.stage}>
              {message.stage}
            </span>
            <span class="number muted" title="Lines that say so in this run, and in the good one">
              {sayNumber(message.count)} here, {sayNumber(message.withCount)} there
            </span>
            <span class="context-message">
              {message.example ? (
                <a href={jobHref(message.example.jobId, {}, `L${message.example.seq}`)}>{message.template}</a>
              ) : (
                message.template
              )}
            </span>
          </li>
        ))}
      </ul>
      {count > messages.length && <p class="muted">and {sayNumber(count - messages.length)} more</p>}
    </section>
  );
}

function Stages({ stages }: { stages: readonly StagePair[] }) {
  const longest = Math.max(1, ...stages.flatMap((stage) => [stage.durationMs ?? 0, stage.withDurationMs ?? 0]));
  return (
    <section>
      <h3>Stages</h3>
      <table class="stage-pairs">
        <thead>
          <tr>
            <th scope="col">Stage</th>
            <th scope="col">This run</th>
            <th scope="col">Good run</th>
            <th scope="col">Time of this one above that of the good one</th>
          </tr>
        </thead>
        <tbody>
          {stages.map((stage) => (
            <tr key={stage.name}>
              <th scope="row">{stage.name}</th>
              <Side status={stage.status} ms={stage.durationMs} lines={stage.logCounts?.total} />
              <Side status={stage.withStatus} ms={stage.withDurationMs} lines={stage.withLogCounts?.total} />
              <td class="pair-bars" aria-hidden="true">
                <span class="this" style={{ width: `${(100 * (stage.durationMs ?? 0)) / longest}%` }} />
                <span class="other" style={{ width: `${(100 * (stage.withDurationMs ?? 0)) / longest}%` }} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Side({ status, ms, lines }: { status: StagePair["status"]; ms: number | null; lines: number | undefined }) {
  if (!status) return <td class="muted">not there</td>;
  return (
    <td class="number">
      <Status status={status} isBrief /> {ms === null ? "–" : sayDuration(ms)}{" "}
      <span class="muted">{lines !== undefined && sayCount(lines, "line")}</span>
    </td>
  );
}
