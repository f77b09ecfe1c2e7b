// Whether what is shown is the present, said so that an old page never looks alive.
import type { JobStatus } from "../../graph/generated";
import type { Phase } from "./tail";

export interface Standing {
  phase: Phase;
  reason: string;
  behind: number;
  jobStatus: JobStatus | null;
  heardAt: number;
}

export interface Liveness {
  kind: "waiting" | "live" | "behind" | "lost" | "finished" | "refused";
  text: string;
}

/** Lines that are on their way are no delay. */
const NOTABLE = 1_000;
/** A connection that is away for longer leaves a page that is old. */
const STALE_MS = 10_000;

/** Of a log that is not loaded there is no standing yet, or for an error none. */
export function liveness(standing: Standing | null, isFailing: boolean, now: number): Liveness {
  if (!standing) return isFailing ? { kind: "refused", text: "Not loaded" } : { kind: "waiting", text: "Loading" };
  const { phase, reason, behind, jobStatus, heardAt } = standing;
  switch (phase) {
    case "ended":
      return { kind: "finished", text: `Finished: ${(jobStatus ?? "").toLowerCase()}` };
    case "refused":
      return { kind: "refused", text: `Not live: ${reason}` };
    case "live":
      if (behind > NOTABLE) return { kind: "behind", text: `Behind by ${behind.toLocaleString("en")} lines` };
      return { kind: "live", text: "Connected" };
    case "connecting":
    case "lost":
      return awayFor(now - heardAt, phase);
  }
}

function awayFor(ms: number, phase: "connecting" | "lost"): Liveness {
  if (ms > STALE_MS) return { kind: "lost", text: `Stale: last heard ${Math.floor(ms / 1_000)} s ago, reconnecting` };
  return phase === "lost" ? { kind: "lost", text: "Reconnecting" } : { kind: "waiting", text: "Connecting" };
}
