// How long something took, or has taken so far.
import { sayDuration, useNow } from "../time";

export interface DurationProps {
  durationMs: number | null;
  /** Set while it goes on. */
  since?: string | null | undefined;
  /** Whether what is known is old: then it does not tick. */
  isStale?: boolean;
}

export function Duration({ durationMs, since, isStale = false }: DurationProps) {
  const isTicking = durationMs === null && Boolean(since) && !isStale;
  const now = useNow(isTicking);
  if (durationMs !== null) return <span class="number">{sayDuration(durationMs)}</span>;
  if (!since) return <span class="muted">–</span>;
  return <span class="number">{sayDuration(Math.max(0, now - Date.parse(since)))}</span>;
}
