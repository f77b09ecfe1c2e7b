// A button that opens a small panel, which a click elsewhere and Escape close.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface MenuProps {
  label: string;
  /** What the button says, if not its label. */
  text?: string;
  children: ComponentChildren;
}

export function Menu({ label, text, children }: MenuProps) {
  const menu = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const close = (event: Event) => {
      if (menu.current?.open && !event.composedPath().includes(menu.current)) menu.current.open = false;
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("focusin", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("focusin", close);
    };
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !menu.current?.open) return;
    event.preventDefault();
    menu.current.open = false;
    menu.current.querySelector("summary")?.focus();
  };
  return (
    <details ref={menu} class="log-menu" onKeyDown={onKeyDown}>
      <summary aria-label={text && text !== label ? `${label}: ${text}` : label}>{text ?? label}</summary>
      <div class="log-panel">{children}</div>
    </details>
  );
}
