// How a job, a stage, a task or an execution stands: a shape and a word, and only then a colour.
import type { JSX } from "preact";

export type AnyStatus = "QUEUED" | "RUNNING" | "PAUSED" | "COMPLETED" | "FAILED" | "CANCELLED";

const SHAPES: Record<AnyStatus, JSX.Element> = {
  QUEUED: <circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="2.4 2.2" />,
  RUNNING: (
    <>
      <circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="2" opacity="0.3" />
      <path class="turning" d="M8 2.5a5.5 5.5 0 0 1 5.5 5.5" fill="none" stroke="currentColor" stroke-width="2" />
    </>
  ),
  PAUSED: <path d="M5.5 3v10M10.5 3v10" stroke="currentColor" stroke-width="2.5" />,
  COMPLETED: <path d="M2.8 8.6l3.4 3.4 7-7.6" fill="none" stroke="currentColor" stroke-width="2.2" />,
  FAILED: <path d="M3.5 3.5l9 9M12.5 3.5l-9 9" fill="none" stroke="currentColor" stroke-width="2.4" />,
  CANCELLED: (
    <>
      <circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" stroke-width="2" />
      <path d="M4.2 11.8l7.6-7.6" stroke="currentColor" stroke-width="2" />
    </>
  ),
};

export function sayStatus(status: AnyStatus): string {
  return status.charAt(0) + status.slice(1).toLowerCase();
}

export function Status({ status, isBrief = false }: { status: AnyStatus; isBrief?: boolean }) {
  return (
    <span class="status" data-status={status} title={isBrief ? sayStatus(status) : undefined}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        {SHAPES[status]}
      </svg>
      <span class={isBrief ? "unseen" : undefined}>{sayStatus(status)}</span>
    </span>
  );
}
