// The log of a job: its lines, what narrows them, and the keys that move in it.
import { useEffect, useMemo, useReducer, useRef } from "preact/hooks";

import type { JobHeadFragment } from "../graph/generated";
import { useShortcuts } from "../shortcuts";
import { useObserved } from "../observed";
import { place } from "../routes";
import type { Selection } from "../selection";
import { useNow } from "../time";
import { Chips } from "./Chips";
import { copySelected } from "./copySelected";
import { LevelMenu } from "./LevelMenu";
import { liveness } from "./model/liveness";
import { LogLines } from "./LogLines";
import { logShortcuts } from "./logShortcuts";
import { useLook } from "./look";
import { CopyMenu, DownloadMenu, LookMenu } from "./LogMenus";
import { Pane, sayLines } from "./pane";
import { between } from "./text/permalink";
import { SearchBox, Toggle } from "./SearchBox";
import "./log.css";

export interface LogPaneProps {
  job: JobHeadFragment;
  selection: Selection;
  onSelection: (selection: Selection) => void;
}

export function LogPane({ job, selection, onSelection }: LogPaneProps) {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const pane = useMemo(() => new Pane(job.jobId, () => { redraw(undefined); }), [job.jobId]);
  const search = useRef<HTMLInputElement>(null);
  const region = useRef<HTMLElement>(null);
  const look = useLook();
  const { hash } = useObserved(place);

  useEffect(() => { pane.goToHash(hash); }, [pane, hash]);
  useEffect(() => { pane.select(selection, job.lastSeq); }, [pane, JSON.stringify(selection)]);
  useEffect(() => { pane.learn(job.status, job.lastSeq); }, [pane, job.status, job.lastSeq]);
  useEffect(() => () => { pane.close(); }, [pane]);
  useShortcuts("Log", logShortcuts(pane, search), [pane]);

  const onNumber = (event: MouseEvent, seq: number) => {
    if (event.metaKey || event.ctrlKey || event.altKey) return;
    event.preventDefault();
    pane.mark(event.shiftKey && pane.range ? between(pane.range.from, seq) : between(seq, seq), seq);
    region.current?.querySelector<HTMLElement>("[role=grid]")?.focus({ preventScroll: true });
  };
  return (
    <section ref={region} class="log" aria-label="Log" onCopy={(event) => { copySelected(event, pane); }}>
      <div class="log-bar">
        <SearchBox pane={pane} selection={selection} onSelection={onSelection} input={search} />
        <LevelMenu counts={job.logCounts} selection={selection} onSelection={onSelection} />
        <LookMenu look={look} />
        <CopyMenu pane={pane} />
        <DownloadMenu pane={pane} selection={selection} />
      </div>
      <Chips selection={selection} onSelection={onSelection} />
      <Failure pane={pane} />
      <Pruned pane={pane} />
      <div class="log-body">
        <LogLines
          pane={pane}
          look={look}
          digits={String(Math.max(job.lastSeq, 1_000)).length}
          since={job.startedAt ?? job.createdAt}
          onNumber={onNumber}
        />
        <Empty pane={pane} job={job} />
        <Newer pane={pane} />
      </div>
      <Status pane={pane} all={job.lastSeq} />
    </section>
  );
}

/** What keeps lines from being loaded, unless the search box says it already. */
function Failure({ pane }: { pane: Pane }) {
  const message = pane.model.error?.message;
  if (!message || message === pane.hits?.error?.message) return null;
  return (
    <p class="log-error" role="alert">
      {message}
    </p>
  );
}

function Standing({ pane }: { pane: Pane }) {
  const { tail, list, error } = pane.model;
  const now = useNow();
  const { kind, text } = liveness(list && tail, error !== null, now);
  return (
    <span class={`log-standing is-${kind}`} role="status" aria-live="off" aria-label="State of the log">
      {text}
    </span>
  );
}

function Pruned({ pane }: { pane: Pane }) {
  const before = pane.prunedTo;
  return before > 0 ? <p class="log-pruned">Lines 1 to {before.toLocaleString("en")} were pruned</p> : null;
}

function Empty({ pane, job }: { pane: Pane; job: JobHeadFragment }) {
  const { list, filter } = pane.model;
  if (!list || list.end > list.start) return null;
  const isOver = job.finishedAt !== null;
  return <p class="log-empty">{filter ? "No line matches" : isOver ? "This job said nothing" : "No lines yet"}</p>;
}

function Newer({ pane }: { pane: Pane }) {
  const { isFollowing, list } = pane.scroll;
  const { missed } = pane;
  return (
    <>
      {!isFollowing && list && (
        <button type="button" class={missed > 0 ? "log-newer has-news" : "log-newer"} onClick={() => { pane.toEnd(); }}>
          {missed > 0 ? `${missed.toLocaleString("en")} new ${missed === 1 ? "line" : "lines"} ↓` : "End ↓"}
        </button>
      )}
      <span class="log-spoken" role="status">
        {missed > 0 && `${roughly(missed)} new lines below`}
      </span>
    </>
  );
}

/** A number that changes seldom, for those who hear it. */
function roughly(count: number): string {
  const unit = 10 ** Math.floor(Math.log10(count));
  return count < 10 ? "Some" : `More than ${(Math.floor(count / unit) * unit).toLocaleString("en")}`;
}

function Status({ pane, all }: { pane: Pane; all: number }) {
  const { total, filter } = pane.model;
  return (
    <footer class="log-foot">
      <Standing pane={pane} />
      <span class="log-total">
        {total !== null && filter && `${total.toLocaleString("en")} of `}
        {sayLines(Math.max(all, total ?? 0))}
      </span>
      <span role="status" class="log-note">
        {pane.note}
      </span>
      <Toggle
        label="Follow the end of the log"
        text="follow"
        isOn={pane.scroll.isFollowing}
        onToggle={(isOn) => {
          if (isOn) pane.toEnd();
          else pane.scroll.stay();
        }}
      />
    </footer>
  );
}

