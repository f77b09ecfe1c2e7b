// How a record of several lines is shown on one: its first line, how many more there are, and what a traceback ends with.

export interface Folded {
  first: string;
  /** How many lines are hidden. */
  hidden: number;
  /** The last line, where that is what matters: the exception of a traceback. */
  last: string | null;
}

const LINE_END = /\r\n|\n|\r/;
const LINE_ENDS = /\r\n|\n|\r/g;
const TRACEBACK = /^(?:\S+: )?.*Traceback \(most recent call last\):$/m;

/** The lines of a message. A return without a line feed, as progress bars write it, begins a line too. */
export function linesOf(message: string): string[] {
  return message.replace(/[\r\n]+$/, "").split(LINE_END);
}

export function folded(message: string): Folded {
  const end = message.search(LINE_END);
  if (end < 0) return { first: message, hidden: 0, last: null };
  const whole = message.replace(/[\r\n]+$/, "");
  const hidden = whole.length <= end ? 0 : (whole.match(LINE_ENDS)?.length ?? 0);
  const last = hidden > 1 && TRACEBACK.test(whole) ? whole.slice(lastLineStart(whole)) : null;
  return { first: message.slice(0, end), hidden, last };
}

function lastLineStart(text: string): number {
  return Math.max(text.lastIndexOf("\n"), text.lastIndexOf("\r")) + 1;
}
