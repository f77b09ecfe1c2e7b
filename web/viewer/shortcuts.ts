// The keys of the page: each component adds its own while it is on the screen, and `?` lists them all.
import { useEffect } from "preact/hooks";

import { type Observed, State } from "./observed";

export interface Shortcut {
  /** As KeyboardEvent.key has them, "Mod+" before one that is pressed with Ctrl or ⌘: "j", "ArrowDown", "Mod+f". */
  keys: readonly string[];
  /** What it does, for the list of keys. */
  does: string;
  /** Returns false where it does not apply now, so that others and the browser may take the key. */
  run: (event: KeyboardEvent) => unknown;
  /** Whether it is taken in a text field too. */
  inFields?: boolean;
}

export interface ShortcutGroup {
  name: string;
  keys: readonly Shortcut[];
}

const state = new State<readonly ShortcutGroup[]>([]);
export const shortcutGroups: Observed<readonly ShortcutGroup[]> = state;

/** Adds keys until the returned function is called. Those that were added last come first. */
export function addShortcuts(group: ShortcutGroup): () => void {
  state.set([...state.value, group]);
  return () => state.set(state.value.filter((other) => other !== group));
}

/** Adds keys for as long as the component is on the screen. */
export function useShortcuts(name: string, keys: readonly Shortcut[], inputs: readonly unknown[]): void {
  useEffect(() => addShortcuts({ name, keys }), inputs);
}

export function listenToShortcuts(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.altKey) return;
    if (document.querySelector("dialog[open]")) return; // it has keys of its own
    const pressed = event.ctrlKey || event.metaKey ? `Mod+${event.key}` : event.key;
    for (const group of [...state.value].reverse()) {
      for (const key of group.keys) {
        if (!key.keys.includes(pressed) || (isField(event.target) && !key.inFields)) continue;
        if (key.run(event) === false) continue;
        event.preventDefault();
        return;
      }
    }
  });
}

function isField(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=button])");
}
