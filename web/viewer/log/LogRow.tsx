// One line of the log: its number, time, level, place and message.
import { Component, createRef } from "preact";

import { type TimeStyle, sayAgo, sayClock, sayDate, sayWhole } from "../time";
import type { Finder } from "./text/finding";
import { folded } from "./text/folding";
import { type Piece, plain, shown } from "./text/terminal";
import { isShortened, LineDetail } from "./LineDetail";
import type { Content, Line } from "./model/lineList";
import { LineText } from "./LineText";
import type { Look } from "./look";
import { type Pane, sayLines } from "./pane";
import { writeHash } from "./text/permalink";

export interface LogRowProps {
  slot: number;
  /** Counted from 1, as far as that is known. */
  rowIndex: number;
  /** Of a line that is not loaded, where that is known. */
  seq: number | null;
  content: Content;
  /** How many lines were pruned above it. */
  pruned: number;
  pane: Pane;
  find: Finder | null;
  isWrapped: boolean;
  hasPlace: boolean;
  time: Look["time"];
  /** Whether times say the day, too. */
  isDated: boolean;
  /** For relative times, else 0. */
  now: number;
  isCursor: boolean;
  isMarked: boolean;
  isCurrentHit: boolean;
  isExpanded: boolean;
  isUnfolded: boolean;
  onNumber: (event: MouseEvent, seq: number) => void;
}

/** Drawn anew only when something of it has changed: scrolling draws dozens of rows a frame. */
export class LogRow extends Component<LogRowProps> {
  readonly #element = createRef<HTMLDivElement>();

  override componentDidMount(): void {
    if (this.#element.current) this.props.pane.scroll.watch(this.#element.current);
  }

  override componentWillUnmount(): void {
    const row = this.#element.current;
    if (!row) return;
    this.props.pane.scroll.unwatch(row);
    // A row that is scrolled out of view leaves the focus in the log.
    if (row.contains(document.activeElement)) row.closest<HTMLElement>("[role=grid]")?.focus({ preventScroll: true });
  }

  override shouldComponentUpdate(next: LogRowProps): boolean {
    return (Object.keys(next) as (keyof LogRowProps)[]).some((name) => next[name] !== this.props[name]);
  }

  render() {
    const { slot, rowIndex, seq, content, isCursor, isMarked, isCurrentHit, isWrapped } = this.props;
    const classes = [
      "log-row",
      isWrapped && "is-wrapped",
      isCursor && "is-cursor",
      isMarked && "is-marked",
      isCurrentHit && "is-hit",
      this.props.isExpanded && "is-expanded",
      this.props.pruned > 0 && "is-behind-pruned",
      typeof content === "object" ? `is-${content.level.toLowerCase()}` : `is-${content}`,
    ];
    return (
      <div
        ref={this.#element}
        role="row"
        id={seq === null ? undefined : `line-${seq}`}
        class={classes.filter(Boolean).join(" ")}
        aria-rowindex={rowIndex}
        aria-selected={isCursor || isMarked}
        data-slot={slot}
        data-seq={seq}
        title={this.props.pruned > 0 ? `${sayLines(this.props.pruned)} above this one ${this.props.pruned === 1 ? "was" : "were"} deleted` : undefined}
      >
        {typeof content === "object" ? this.#cells(content) : <Missing seq={seq} />}
      </div>
    );
  }

  #cells(line: Line) {
    const { time, isDated, now, hasPlace, isExpanded, pane, find, onNumber } = this.props;
    const { seq } = line;
    return (
      <>
        <span role="gridcell" class="log-number">
          <button
            type="button"
            class="log-expand"
            tabIndex={-1}
            aria-expanded={isExpanded}
            aria-label={`${isExpanded ? "Hide" : "Show"} details of line ${seq}`}
            onClick={() => { pane.toggle("expanded", seq); }}
          />
          <a
            href={writeHash({ from: seq, to: seq })}
            tabIndex={-1}
            aria-label={`Line ${seq}`}
            onClick={(event) => { onNumber(event, seq); }}
          >
            {seq}
          </a>
        </span>
        {time !== "none" && (
          <span role="gridcell" class={`log-time is-${time}${isDated ? " is-dated" : ""}`}>
            <time dateTime={line.timestamp} title={sayWhole(line.timestamp)}>
              {sayLineTime(line.timestamp, time, isDated, now)}
            </time>
          </span>
        )}
        <span role="gridcell" class="log-level">
          {line.level}
        </span>
        {hasPlace && (
          <span role="gridcell" class="log-place" title={placeOf(line)}>
            {placeOf(line)}
          </span>
        )}
        <span role="gridcell" class="log-message">
          {this.#message(line)}
        </span>
        {isExpanded && (
          <div role="gridcell" class="log-below">
            <LineDetail line={line} pane={pane} find={find} />
          </div>
        )}
      </>
    );
  }

  #message(line: Line) {
    const { pane, find, isUnfolded, isExpanded } = this.props;
    const { lines, hidden, last } = folded(line.message);
    const isCut = isShortened(line);
    const toggle = () => { pane.toggle("unfolded", line.seq); };
    if (isUnfolded && hidden > 0) {
      return (
        <>
          <span class="log-text is-unfolded" data-text>
            {lines.map((each, index) => (
              <>
                {index > 0 && "\n"}
                <LineText line={each} find={find} />
              </>
            ))}
          </span>
          <button type="button" class="log-fold" tabIndex={-1} aria-expanded={true} onClick={toggle}>
            fold {hidden + 1} lines
          </button>
          {isCut && !isExpanded && <More line={line} pane={pane} />}
        </>
      );
    }
    const isHitBelow = hidden > 0 && hits(find, lines.slice(1));
    return (
      <>
        <span class="log-text" data-text>
          <LineText line={lines[0] ?? []} find={find} />
        </span>
        {hidden > 0 && (
          <button
            type="button"
            class={isHitBelow ? "log-fold has-hit" : "log-fold"}
            tabIndex={-1}
            aria-expanded={false}
            onClick={toggle}
          >
            … {hidden} more {hidden === 1 ? "line" : "lines"}
          </button>
        )}
        {last !== null && !isCut && (
          <span class="log-last">
            <LineText line={last} find={find} />
          </span>
        )}
        {isCut && !isExpanded && <More line={line} pane={pane} />}
      </>
    );
  }
}

function More({ line, pane }: { line: Line; pane: Pane }) {
  return (
    <button type="button" class="log-fold" tabIndex={-1} onClick={() => { pane.toggle("expanded", line.seq); }}>
      … all {line.messageLength.toLocaleString("en")} characters
    </button>
  );
}

function Missing({ seq }: { seq: number | null }) {
  return (
    <>
      <span role="gridcell" class="log-number">
        {seq}
      </span>
      <span role="gridcell" class="log-message">
        <span class="log-skeleton" aria-label="loading" role="img" />
      </span>
    </>
  );
}

function hits(find: Finder | null, lines: readonly Piece[][]): boolean {
  return find !== null && (find(lines.map(plain).join("\n"))?.length ?? 0) > 0;
}

function placeOf({ stage, taskId }: Line): string {
  return shown(taskId === null ? stage : `${stage}/${taskId}`);
}

function sayLineTime(iso: string, style: TimeStyle, isDated: boolean, now: number): string {
  if (style === "relative") return sayAgo(now - Date.parse(iso));
  return (isDated ? `${sayDate(iso, style)} ` : "") + sayClock(iso, style, true);
}
