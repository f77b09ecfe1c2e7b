// What Ctrl+C takes from the log: clean lines, whatever stands before and between them on the page.
import type { Pane } from "./pane";
import { shown } from "./text/terminal";
import { isCut } from "./wholeMessage";

/** What was selected with the mouse is copied as clean lines; without a selection the chosen lines are. */
export function copySelected(event: ClipboardEvent, pane: Pane): void {
  const region = event.currentTarget as HTMLElement;
  if ((event.target as HTMLElement).closest("input, textarea")) return;
  const isNothing = getSelection()?.isCollapsed ?? true;
  if (isNothing && pane.chosen) {
    event.preventDefault();
    void pane.copy(false);
    return;
  }
  const text = selectedText(region.querySelectorAll<HTMLElement>("[data-seq]"), (row) => {
    const line = pane.lineAt(Number(row.dataset.slot));
    return line && !isCut(line) ? shown(line.preview.head) : null;
  });
  if (text === null) return;
  event.preventDefault();
  event.clipboardData?.setData("text/plain", text);
}

/** The text of the selected part of the log, a record a line; null where the selection lies within one line, or outside. */
function selectedText(rows: Iterable<HTMLElement>, wholeText: (row: HTMLElement) => string | null): string | null {
  const selection = getSelection();
  if (!selection || selection.isCollapsed || selection.rangeCount === 0) return null;
  const range = selection.getRangeAt(0);
  const selected = [...rows].filter((row) => range.intersectsNode(row));
  if (selected.length < 2) return null;
  const ends = new Set([selected[0], selected.at(-1)]);
  return selected.map((row) => (ends.has(row) ? null : wholeText(row)) ?? partOf(row, range)).join("\n");
}

function partOf(row: HTMLElement, range: Range): string {
  const text = row.querySelector("[data-text]");
  if (!text || !range.intersectsNode(text)) return "";
  const part = document.createRange();
  part.selectNodeContents(text);
  if (part.comparePoint(range.startContainer, range.startOffset) === 0) part.setStart(range.startContainer, range.startOffset);
  if (part.comparePoint(range.endContainer, range.endOffset) === 0) part.setEnd(range.endContainer, range.endOffset);
  return part.toString();
}
