// What the log is drawn from: lines at slots, whole numbers from `start` to before `end`, of which only some are loaded.
import type { LogLineFragment } from "../../graph/generated";
import type { LineRange } from "../text/permalink";

export type Line = LogLineFragment;

/** `pruned`: it was there, and retention deleted it. */
export type Content = Line | "loading" | "pruned";

export interface LineList {
  readonly start: number;
  readonly end: number;
  /** Whether `end` is the end of the log, so that new lines come there. */
  readonly isAtEnd: boolean;
  at(slot: number): Content;
  /** Where a line is, or the next one behind it; the nearest slot where neither is here. */
  slotOf(seq: number): number;
  /** Whether a line is here, or would be if it were loaded. */
  has(seq: number): boolean;
  /** The pruned slots around one, which are not drawn; null where it was not pruned. */
  holeAt(slot: number): LineRange | null;
  /** The holes that were found since this was asked last. */
  takeHoles(): LineRange[];
  /** Says which slots are looked at: they are loaded, and what is not looked at any more need not come. */
  look(from: number, to: number): void;
  /** Takes lines that were captured since, ascending. Known ones are passed over. */
  append(lines: readonly Line[]): void;
  close(): void;
}

export interface PageRequest {
  first?: number;
  last?: number;
  /** Inclusive. */
  sinceSeq?: number;
  /** Exclusive. */
  untilSeq?: number;
}

export interface LinePage {
  lines: readonly Line[];
  hasNext: boolean;
  hasPrevious: boolean;
}

export type LoadPage = (request: PageRequest, signal: AbortSignal) => Promise<LinePage>;

export interface ListEvents {
  changed(): void;
  /** A page was loaded. */
  loaded(): void;
  /** A page could not be loaded. Tells whether to try again. */
  failed(error: unknown): boolean;
}

export const RETRY_MS = 1_000;
