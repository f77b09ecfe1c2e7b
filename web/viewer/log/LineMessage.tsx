// The message of a line: folded to one, or all of it.
import { Fragment } from "preact";

import { ShownText, LineText } from "./LineText";
import type { Line } from "./model/lineList";
import type { Pane } from "./pane";
import type { Finder } from "./text/finding";
import { type Folded, folded } from "./text/folding";
import { type Piece, plain } from "./text/terminal";
import { isCut, useWholeMessage } from "./wholeMessage";

interface LineMessageProps {
  line: Line;
  pane: Pane;
  find: Finder | null;
  isUnfolded: boolean;
  isCurrentHit: boolean;
}

export function LineMessage({ line, pane, find, isUnfolded, isCurrentHit }: LineMessageProps) {
  const record = folded(line.preview);
  const toggle = () => { pane.toggle("unfolded", line.seq); };
  if (record.hidden === 0 && record.missing === 0) {
    return (
      <span class="log-text" data-text>
        <LineText line={record.lines[0] ?? []} find={find} />
      </span>
    );
  }
  if (isUnfolded) {
    return (
      <>
        <span class="log-text is-unfolded" data-text>
          <WholeText line={line} pane={pane} find={find} />
        </span>
        <button type="button" class="log-fold" tabIndex={-1} aria-expanded={true} onClick={toggle}>
          fold {record.hidden > 0 ? `${(record.hidden + 1).toLocaleString("en")} lines` : "it"}
        </button>
      </>
    );
  }
  const hasHit = find !== null && hidesHit(record, find, isCurrentHit);
  return (
    <>
      <span class="log-text" data-text>
        <LineText line={record.lines[0] ?? []} find={find} />
      </span>
      <button type="button" class={hasHit ? "log-fold has-hit" : "log-fold"} tabIndex={-1} aria-expanded={false} onClick={toggle}>
        … {sayHidden(record)}
      </button>
      {record.exception !== null && (
        <span class="log-last">
          <ShownText text={record.exception} find={find} />
        </span>
      )}
      {record.hidden === 0 && (
        <span class="log-tail">
          <LineText line={record.tail[0] ?? []} find={find} />
        </span>
      )}
    </>
  );
}

/** All of a message, which is loaded if only its ends are here. */
export function WholeText({ line, pane, find }: { line: Line; pane: Pane; find: Finder | null }) {
  const { text, error, isWanted, want } = useWholeMessage(pane.jobId, line);
  if (text !== null) return <ShownText text={text} find={find} />;
  const { lines, tail, missing } = folded(line.preview);
  return (
    <>
      <Lines lines={lines} find={find} />
      {isCut(line) && (
        <>
          {" "}
          {isWanted && !error ? (
            <span class="log-gap">… loading {missing.toLocaleString("en")} characters …</span>
          ) : (
            <button type="button" class="log-gap" onClick={want}>
              … {missing.toLocaleString("en")} characters more: show them …
            </button>
          )}
          {error && <span class="log-error">They could not be loaded: {error}</span>}{" "}
          <Lines lines={tail} find={find} />
        </>
      )}
    </>
  );
}

function Lines({ lines, find }: { lines: readonly Piece[][]; find: Finder | null }) {
  return (
    <>
      {lines.map((each, index) => (
        <Fragment key={index}>
          {index > 0 && "\n"}
          <LineText line={each} find={find} />
        </Fragment>
      ))}
    </>
  );
}

function sayHidden({ hidden, missing }: Folded): string {
  if (hidden === 0) return `${missing.toLocaleString("en")} more characters`;
  return `${hidden.toLocaleString("en")} more ${hidden === 1 ? "line" : "lines"}`;
}

/** Whether a search hits what is not seen: it is here, or else the service found it in what is not. */
function hidesHit({ lines, tail, missing }: Folded, find: Finder, isCurrentHit: boolean): boolean {
  const hits = (shown: readonly Piece[][]) => (find(shown.map(plain).join("\n"))?.length ?? 0) > 0;
  return hits(lines.slice(1)) || hits(tail) || (isCurrentHit && missing > 0 && !hits(lines));
}
