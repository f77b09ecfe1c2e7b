// Whether what is on the screen is how things stand.
export type Live = "live" | "reconnecting" | "finished" | "waiting";

const WORDS: Record<Live, string> = {
  live: "Connected",
  reconnecting: "Reconnecting",
  finished: "Finished",
  waiting: "Waiting",
};

const TITLES: Record<Live, string> = {
  live: "The page is connected to the service: changes show as they happen",
  reconnecting: "The service does not answer: what you see may be old",
  finished: "It has ended, and nothing more is expected",
  waiting: "Nothing was heard of it yet: it shows as soon as something is",
};

export function Liveness({ state }: { state: Live }) {
  return (
    <span class="liveness" data-live={state} role="status" title={TITLES[state]}>
      <span class="liveness-dot" aria-hidden="true" />
      {WORDS[state]}
    </span>
  );
}
