// The present by the service's clock, which ages are told by: the visitor's own may be wrong.

/** Answers tell the time in whole seconds and take a moment: a smaller difference is none. */
const NOTABLE_MS = 3_000;

let offsetMs = 0;

/** Reads the time of an answer that was asked for at `askedAt`. */
export function learnTime(date: string | null, askedAt: number): void {
  const said = Date.parse(date ?? "");
  if (Number.isNaN(said)) return;
  const difference = said + 500 - (askedAt + Date.now()) / 2;
  offsetMs = Math.abs(difference) < NOTABLE_MS ? 0 : difference;
}

export function serviceNow(): number {
  return Date.now() + offsetMs;
}
