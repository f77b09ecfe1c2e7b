// Which jobs are listed, as the query string says it.
import type { JobFilter, JobStatus } from "../graph/generated";

export const STATUSES = [
  "RUNNING",
  "FAILED",
  "COMPLETED",
  "CANCELLED",
  "QUEUED",
  "PAUSED",
] as const satisfies readonly JobStatus[];

const HOUR_MS = 3_600_000;
export const PERIODS: Record<string, { name: string; ms: number }> = {
  "1h": { name: "Last hour", ms: HOUR_MS },
  "12h": { name: "Last 12 hours", ms: 12 * HOUR_MS },
  "24h": { name: "Last 24 hours", ms: 24 * HOUR_MS },
  "7d": { name: "Last 7 days", ms: 7 * 24 * HOUR_MS },
};

export interface JobChoice {
  statuses: readonly JobStatus[];
  handler: string;
  search: string;
  /** A key of PERIODS, or empty. */
  within: string;
  /** RFC 3339, or empty. */
  since: string;
  until: string;
  hasErrors: boolean;
}

export function readChoice(params: URLSearchParams): JobChoice {
  const within = params.get("within") ?? "";
  return {
    statuses: STATUSES.filter((status) => params.getAll("status").includes(status)),
    handler: params.get("handler") ?? "",
    search: params.get("search") ?? "",
    within: within in PERIODS ? within : "",
    since: validTime(params.get("since")),
    until: validTime(params.get("until")),
    hasErrors: params.has("errors"),
  };
}

export function filterOf(choice: JobChoice, now: number): JobFilter {
  const filter: JobFilter = {};
  if (choice.statuses.length > 0) filter.statuses = [...choice.statuses];
  if (choice.handler) filter.handlerNames = [choice.handler];
  if (choice.search) filter.search = choice.search;
  if (choice.hasErrors) filter.hasErrors = true;
  const period = PERIODS[choice.within];
  if (period) filter.createdSince = new Date(now - period.ms).toISOString();
  else if (choice.since) filter.createdSince = choice.since;
  if (!period && choice.until) filter.createdUntil = choice.until;
  return filter;
}

function validTime(text: string | null): string {
  return text && !Number.isNaN(Date.parse(text)) ? text : "";
}
