// Lines as text, for the clipboard: the messages alone, or each with its time, level and place as downloads have them.
import { query } from "../../graph/client";
import { type LogFilter, WholeLinesDocument, type WholeLinesQuery } from "../../graph/generated";
import type { LineRange } from "./permalink";
import { shown } from "./terminal";

type WholeLine = NonNullable<WholeLinesQuery["job"]>["logs"]["nodes"][number];

/** So many lines are copied at most: what is longer is a download. */
export const MAX_COPIED = 20_000;
const PAGE = 1_000;

export function textOf(line: WholeLine, hasPrefix: boolean): string {
  const message = shown(line.message);
  if (!hasPrefix) return message;
  const place = line.taskId === null ? line.stage : `${line.stage}/${line.taskId}`;
  return `${line.timestamp}  ${line.level.padEnd(8)}  ${place}  ${message}`;
}

/** Loads the lines of a range that match, whole: at most `MAX_COPIED`, and less where that would be too much. */
export async function wholeLines(jobId: string, range: LineRange, filter: LogFilter | null): Promise<WholeLine[]> {
  const lines: WholeLine[] = [];
  const untilSeq = range.to + 1;
  for (let sinceSeq = range.from; lines.length < MAX_COPIED; ) {
    const bounded = { ...filter, sinceSeq, untilSeq };
    const { job } = await query(WholeLinesDocument, { jobId, first: PAGE, filter: bounded });
    lines.push(...(job?.logs.nodes ?? []));
    const last = lines.at(-1);
    if (!last || !job?.logs.pageInfo.hasNextPage) break;
    sinceSeq = last.seq + 1;
  }
  return lines.slice(0, MAX_COPIED);
}

export async function copyText(text: string): Promise<void> {
  // Without TLS, other than on this machine, there is no clipboard but this.
  const hasClipboard = "clipboard" in navigator && window.isSecureContext;
  if (hasClipboard) await navigator.clipboard.writeText(text);
  else copyByCommand(text);
}

function copyByCommand(text: string): void {
  const put = (event: ClipboardEvent) => {
    event.clipboardData?.setData("text/plain", text);
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  document.addEventListener("copy", put, { capture: true, once: true });
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way there is here
  document.execCommand("copy");
  document.removeEventListener("copy", put, { capture: true });
}
