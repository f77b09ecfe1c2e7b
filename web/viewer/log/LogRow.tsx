// One line of the log: its number, time, level, place and message.
import { Component, createRef } from "preact";

import { type TimeStyle, sayAgo, sayClock, sayDate, sayWhole } from "../time";
import type { Finder } from "./text/finding";
import { shown } from "./text/terminal";
import { LineDetail } from "./LineDetail";
import { LineMessage } from "./LineMessage";
import type { Content, Line } from "./model/lineList";
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
          <LineMessage
            line={line}
            pane={pane}
            find={find}
            isUnfolded={this.props.isUnfolded}
            isCurrentHit={this.props.isCurrentHit}
          />
        </span>
        {isExpanded && (
          <div role="gridcell" class="log-below">
            <LineDetail line={line} pane={pane} find={find} />
          </div>
        )}
      </>
    );
  }
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

function placeOf({ stage, taskId }: Line): string {
  return shown(taskId === null ? stage : `${stage}/${taskId}`);
}

function sayLineTime(iso: string, style: TimeStyle, isDated: boolean, now: number): string {
  if (style === "relative") return sayAgo(now - Date.parse(iso));
  return (isDated ? `${sayDate(iso, style)} ` : "") + sayClock(iso, style, true);
}
