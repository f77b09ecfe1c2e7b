// Where the visitor is: the page in the path, what it shows in the query string, a place in the log in the hash.
import { type Observed, State } from "./observed";

export type Route =
  | { page: "jobs" }
  | { page: "job"; jobId: string }
  | { page: "executions" }
  | { page: "search" }
  | { page: "execution"; executionId: string };

export interface Place {
  /** Null for an address that is no page. */
  route: Route | null;
  params: URLSearchParams;
  /** Without its #. */
  hash: string;
}

export type Params = Record<string, string | readonly string[] | null | undefined>;

const SCROLL_REST_MS = 200;

const state = new State<Place>(read());
export const place: Observed<Place> = state;

function read(): Place {
  return {
    route: parsePath(location.pathname, new URLSearchParams(location.search)),
    params: new URLSearchParams(location.search),
    hash: location.hash.slice(1),
  };
}

export function parsePath(path: string, params = new URLSearchParams()): Route | null {
  const [, page, id = "", ...more] = path.replace(/\/+$/, "").split("/");
  if (more.length > 0) return null;
  const named = params.get("id");
  if (!page || (page === "jobs" && !id && !named)) return { page: "jobs" };
  if (page === "executions" && !id && !named) return { page: "executions" };
  if (page === "search" && !id) return { page: "search" };
  if (!id && named) return page === "jobs" ? { page: "job", jobId: named } : { page: "execution", executionId: named };
  try {
    if (page === "jobs") return { page: "job", jobId: decodeURIComponent(id) };
    if (page === "executions") return { page: "execution", executionId: decodeURIComponent(id) };
  } catch {
    // a percent sign that encodes nothing
  }
  return null;
}

export function path(route: Route): string {
  switch (route.page) {
    case "jobs":
      return "/";
    case "job":
      return isDots(route.jobId) ? "/jobs" : `/jobs/${encodeURIComponent(route.jobId)}`;
    case "executions":
      return "/executions";
    case "search":
      return "/search";
    case "execution":
      return isDots(route.executionId) ? "/executions" : `/executions/${encodeURIComponent(route.executionId)}`;
  }
}

/** In a path they lead upwards, however they are encoded: such an id is a param. */
function isDots(id: string): boolean {
  return id === "." || id === "..";
}

function idParams(route: Route): Params {
  const id = route.page === "job" ? route.jobId : route.page === "execution" ? route.executionId : "";
  return isDots(id) ? { id } : {};
}

/** The address of a page, for a link. */
export function href(route: Route, params: Params | URLSearchParams = {}, hash = ""): string {
  const chosen = params instanceof URLSearchParams ? params : merged(new URLSearchParams(), params);
  const text = merged(chosen, idParams(route)).toString();
  return path(route) + (text && `?${text}`) + (hash && `#${hash}`);
}

export function jobHref(jobId: string, params: Params = {}, hash = ""): string {
  return href({ page: "job", jobId }, params, hash);
}

/** Params with some of them set, or taken out by null, undefined, an empty text or an empty list. */
export function merged(params: URLSearchParams, changes: Params): URLSearchParams {
  const result = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes)) {
    result.delete(name);
    for (const each of typeof value === "string" ? [value] : (value ?? [])) {
      if (each) result.append(name, each);
    }
  }
  return result;
}

/** Goes to an address of the page. */
export function go(address: string, { replace = false } = {}): void {
  if (replace) history.replaceState(history.state, "", address);
  else {
    keepScroll();
    history.pushState(null, "", address);
  }
  state.set(read());
}

/** Where the page was scrolled to when the visitor left it, if this is the way back to it. */
export function keptScroll(): number {
  const kept = history.state as { scroll?: number } | null;
  return kept?.scroll ?? 0;
}

function keepScroll(): void {
  if (keptScroll() !== scrollY) history.replaceState({ scroll: scrollY }, "");
}

/** Changes the query string; the hash stays. A change of what is shown is no step in the history unless it says so. */
export function setParams(changes: Params, { push = false } = {}): void {
  const text = merged(new URLSearchParams(location.search), changes).toString();
  go(location.pathname + (text && `?${text}`) + location.hash, { replace: !push });
}

/** Changes the hash, which is given without its #. */
export function setHash(hash: string, { push = false } = {}): void {
  go(location.pathname + location.search + (hash && `#${hash}`), { replace: !push });
}

/** Takes clicks on links to pages of ours, so that nothing is loaded anew. */
export function followLinks(): void {
  history.scrollRestoration = "manual"; // a page is as high as its rows, which come later
  let resting: number | undefined;
  addEventListener("scroll", () => {
    clearTimeout(resting);
    resting = window.setTimeout(keepScroll, SCROLL_REST_MS);
  });
  addEventListener("popstate", () => {
    clearTimeout(resting);
    state.set(read());
  });
  addEventListener("hashchange", () => state.set(read()));
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
      return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link?.href || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (!parsePath(link.pathname, new URLSearchParams(link.search))) return;
    event.preventDefault();
    const isNewPage = link.pathname !== location.pathname;
    clearTimeout(resting);
    go(link.pathname + link.search + link.hash);
    if (isNewPage) scrollTo(0, 0);
  });
}
