// The line of an error that says what went wrong: its exception's type and message, not what leads there or what follows.
import { shown } from "./terminal";

const HEADER = /^(\s*)(?:\S+: )?(?:.*)Traceback \(most recent call last\):\s*$/;
const GROUP_HEADER = /^\s*\+ Exception Group Traceback \(most recent call last\):\s*$/;
/** The edge that is drawn around an exception group. */
const GROUP_EDGE = /^\s*(?:\| ?|\+(?:-\+)?-+ ?(?:\d+|\.\.\.)? ?-*|\+ )*/;
const EXCEPTION = /^(?:Uncaught )?[A-Za-z_$][\w.$]*(?:Error|Exception|Warning|Interrupt|Exit|Timeout)(?:: |$)/;
const VALIDATION = /^\S+: \d+ validation errors? for /;

export function telling(text: string): string {
  const lines = shown(text).split("\n");
  const isGroup = lines.some((line) => GROUP_HEADER.test(line));
  const found = isGroup ? ofGroup(lines) : (ofTraceback(lines) ?? ofText(lines));
  return found.replace(/\s+/g, " ").trim();
}

/** The first line behind the frames of the last traceback: of a chain that is what ended it. */
function ofTraceback(lines: readonly string[]): string | null {
  const header = lines.map((line) => HEADER.test(line)).lastIndexOf(true);
  if (header < 0) return null;
  const indent = HEADER.exec(lines[header] ?? "")?.[1] ?? "";
  const at = lines.findIndex((line, index) => index > header && line.trim() !== "" && !line.startsWith(`${indent} `));
  return at < 0 ? null : saying(lines, at);
}

/** What the group is called, and the first exception of it that is no group. */
function ofGroup(lines: readonly string[]): string {
  const bare = lines.map((line) => line.replace(GROUP_EDGE, ""));
  const said = bare.filter((line, index) => EXCEPTION.test(line) || (/^\w[\w.]*Group: /.test(line) && index > 0));
  const group = said.find((line) => line.includes("Group: "));
  const leaf = said.find((line) => !line.includes("Group: "));
  return [group, leaf].filter(Boolean).join(": ") || ofText(bare);
}

function ofText(lines: readonly string[]): string {
  const first = lines.findIndex((line) => line.trim() !== "");
  if (/^usage: /i.test(lines[first] ?? "")) return lines.find((line) => /\berror: /i.test(line)) ?? lines[first] ?? "";
  const exception = lines.findIndex((line) => EXCEPTION.test(line));
  const leadsOn = /^\s|^Traceback\b|:$/.test(lines[first] ?? "");
  return saying(lines, isFrame(lines, exception) || leadsOn ? Math.max(exception, first) : first);
}

/** Whether what comes before the exception is the place where it was thrown, as Node writes it. */
function isFrame(lines: readonly string[], exception: number): boolean {
  return exception > 0 && lines.slice(0, exception).some((line) => /^\s*\^+\s*$/.test(line));
}

/** pydantic says how many errors there are, and only then which. */
function saying(lines: readonly string[], at: number): string {
  const line = lines[at] ?? "";
  return VALIDATION.test(line) ? [line, lines[at + 1], lines[at + 2]?.trim()].filter(Boolean).join(" · ") : line;
}
