// The runs of a schedule side by side, the newest right: how they went by colour, how long they took by height.
import { serviceNow } from "../clock";
import type { ExecutionRowFragment } from "../graph/generated";
import { href } from "../routes";
import { sayStatus } from "../ui/Status";
import { sayDuration, sayWhole } from "../time";

const LEAST = 0.14;

export interface HistoryStripProps {
  label: string;
  /** The newest first, as the API has them. */
  executions: readonly ExecutionRowFragment[];
  current?: string;
}

export function HistoryStrip({ label, executions, current }: HistoryStripProps) {
  const longest = Math.max(1, ...executions.map(lasted));
  return (
    <ol class="strip" aria-label={label}>
      {[...executions].reverse().map((execution) => (
        <li key={execution.executionId}>
          <a
            href={href({ page: "execution", executionId: execution.executionId })}
            class="strip-bar"
            tabIndex={-1} // the table has the same links, large enough to be hit
            data-status={execution.status}
            aria-current={execution.executionId === current ? "true" : undefined}
            title={`${sayStatus(execution.status)}, ${took(execution)}\n${sayWhole(execution.startedAt)}`}
          >
            <span class="strip-fill" style={{ transform: `scaleY(${Math.max(LEAST, lasted(execution) / longest)})` }} />
            <span class="unseen">
              {sayStatus(execution.status)}, {took(execution)}, {execution.startedAt}
            </span>
          </a>
        </li>
      ))}
    </ol>
  );
}

function lasted(execution: ExecutionRowFragment): number {
  return execution.durationMs ?? serviceNow() - Date.parse(execution.startedAt);
}

function took(execution: ExecutionRowFragment): string {
  return execution.durationMs === null ? "still at it" : sayDuration(execution.durationMs);
}
