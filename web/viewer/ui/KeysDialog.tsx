// The list of keys: of all that is on the screen now.
import { useEffect, useRef } from "preact/hooks";

import { shortcutGroups } from "../shortcuts";
import { useObserved } from "../observed";

const NAMES: Record<string, string> = {
  ArrowDown: "↓",
  ArrowUp: "↑",
  ArrowLeft: "←",
  ArrowRight: "→",
  Escape: "Esc",
  " ": "Space",
};

export function KeysDialog({ onClose }: { onClose: () => void }) {
  const groups = useObserved(shortcutGroups);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="dialog keys" aria-labelledby="keys-title" onClose={onClose}>
      <form method="dialog">
        <h2 id="keys-title">Keys</h2>
        <button type="submit" class="button" aria-label="Esc: close">
          Esc
        </button>
      </form>
      <div class="keys-groups">
        {groups.map((group) => (
          <section key={group.name}>
            <h3>{group.name}</h3>
            <dl>
              {group.keys.map((key) => (
                <div key={key.does}>
                  <dt>
                    {key.keys.map((name) => (
                      <kbd key={name}>{sayKey(name)}</kbd>
                    ))}
                  </dt>
                  <dd>{key.does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </dialog>
  );
}

function sayKey(name: string): string {
  const plain = name.replace("Mod+", "");
  return (plain === name ? "" : "Ctrl ") + (NAMES[plain] ?? plain);
}
