// What the browser keeps for the page. Where the visitor blocks site data, or there is no room, it lasts as long as the page.
const memory = new Map<string, string>();

export type Area = "local" | "session";

export function kept(name: string, area: Area = "local"): string | null {
  try {
    return storage(area).getItem(name) ?? memory.get(name) ?? null;
  } catch {
    return memory.get(name) ?? null;
  }
}

export function keep(name: string, value: string | null, area: Area = "local"): void {
  memory.delete(name);
  try {
    if (value === null) storage(area).removeItem(name);
    else storage(area).setItem(name, value);
  } catch {
    if (value !== null) memory.set(name, value);
  }
}

/** To name it is what a browser refuses. */
function storage(area: Area): Storage {
  return area === "local" ? localStorage : sessionStorage;
}
