// The keys of the log, which `?` lists.
import type { Shortcut } from "../shortcuts";
import { timing, wrapping } from "./look";
import type { Pane } from "./pane";
import { between } from "./text/permalink";

interface Ref<T> {
  current: T | null;
}

export function logShortcuts(pane: Pane, search: Ref<HTMLInputElement>): Shortcut[] {
  const key = (keys: string[], does: string, run: (event: KeyboardEvent) => unknown, inFields = false): Shortcut => ({
    keys,
    does,
    inFields,
    run: (event) => (run(event) === false ? false : undefined),
  });
  const focusSearch = () => {
    search.current?.focus();
    search.current?.select();
  };
  /** A button or a link has its own use of these keys. */
  const isElsewhere = (event: KeyboardEvent) =>
    event.target instanceof HTMLElement && event.target.closest("button, a, summary, input, select, pre") !== null;
  const onCursor = (act: (seq: number) => void) => (event: KeyboardEvent) => {
    if (pane.cursor === null || isElsewhere(event)) return false;
    act(pane.cursor);
    return undefined;
  };
  return [
    key(["/"], "Search the log", focusSearch),
    key(
      ["Mod+f"],
      "Search the log; again for the browser's own search",
      () => {
        if (document.activeElement === search.current) return false;
        focusSearch();
        return undefined;
      },
      true,
    ),
    key(["n"], "Next match", () => (pane.hits ? pane.nextHit(1) : false)),
    key(["N"], "Previous match", () => (pane.hits ? pane.nextHit(-1) : false)),
    key(["e"], "Next error", () => pane.nextError(1)),
    key(["E"], "Previous error", () => pane.nextError(-1)),
    key(["j", "ArrowDown"], "Next line", (event) => (isElsewhere(event) ? false : pane.move(1))),
    key(["k", "ArrowUp"], "Previous line", (event) => (isElsewhere(event) ? false : pane.move(-1))),
    key([" ", "PageDown"], "Page down", (event) => (isElsewhere(event) ? false : pane.scroll.page(event.shiftKey ? -1 : 1))),
    key(["PageUp"], "Page up", (event) => (isElsewhere(event) ? false : pane.scroll.page(-1))),
    key(["g", "Home"], "First line", () => { pane.toStart(); }),
    key(["G", "End"], "Last line, and follow", () => { pane.toEnd(); }),
    key(["f"], "Follow the end, or stop", () => { pane.toggleFollowing(); }),
    key(["o", "Enter"], "Details of the line", onCursor((seq) => { pane.toggle("expanded", seq); })),
    key(["z"], "Fold or unfold the line's record", onCursor((seq) => { pane.toggle("unfolded", seq); })),
    key(["w"], "Wrap lines", () => { wrapping.turn(); }),
    key(["u"], "Times of lines: local, UTC, relative, hidden", () => { timing.turn(); }),
    key(["c"], "Copy the chosen lines", () => pane.copy(false)),
    key(["C"], "Copy them with time, level and place", () => pane.copy(true)),
    key(["m"], "Mark the line", onCursor((seq) => { pane.mark(between(seq, seq), seq); })),
    key(["M"], "Mark the lines from the marked one to here", onCursor((seq) => { pane.mark(between(pane.range?.from ?? seq, seq), seq); })),
    key(["y"], "Copy a link to the line", () => pane.copyLink()),
  ];
}
