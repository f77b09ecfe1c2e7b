// How long something took, or has taken so far. It stands still while the service does not answer.
import { useRef } from "preact/hooks";

import { connection } from "../graph/client";
import { useObserved } from "../observed";
import { sayDuration, useNow } from "../time";

export interface DurationProps {
  durationMs: number | null;
  /** Set while it goes on. */
  since?: string | null | undefined;
}

export function Duration({ durationMs, since }: DurationProps) {
  const isLost = useObserved(connection) === "lost";
  const isTicking = durationMs === null && Boolean(since) && !isLost;
  const now = useNow(isTicking);
  const heard = useRef(now);
  if (isTicking) heard.current = now;
  if (durationMs !== null) return <span class="number">{sayDuration(durationMs)}</span>;
  if (!since) return <span class="muted">–</span>;
  return <span class="number">{sayDuration(Math.max(0, heard.current - Date.parse(since)))}</span>;
}
