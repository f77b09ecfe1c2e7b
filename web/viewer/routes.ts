// Where the visitor is: the page in the path, what it shows in the query string, a place in the log in the hash.
import { type Observed, State } from "./observed";

export type Route =
  | { page: "jobs" }
  | { page: "job"; jobId: string }
  | { page: "executions" }
  | { page: "execution"; executionId: string };

export interface Place {
  /** Null for an address that is no page. */
  route: Route | null;
  params: URLSearchParams;
  /** Without its #. */
  hash: string;
}

export type Params = Record<string, string | readonly string[] | null | undefined>;

const state = new State<Place>(read());
export const place: Observed<Place> = state;

function read(): Place {
  return {
    route: parsePath(location.pathname),
    params: new URLSearchParams(location.search),
    hash: location.hash.slice(1),
  };
}

export function parsePath(path: string): Route | null {
  if (path === "/") return { page: "jobs" };
  const [, page, id, ...more] = path.split("/");
  if (more.length > 0) return null;
  if (page === "executions" && !id) return { page: "executions" };
  if (!id) return null;
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
      return `/jobs/${encodeURIComponent(route.jobId)}`;
    case "executions":
      return "/executions";
    case "execution":
      return `/executions/${encodeURIComponent(route.executionId)}`;
  }
}

/** The address of a page, for a link. */
export function href(route: Route, params: Params = {}, hash = ""): string {
  const text = merged(new URLSearchParams(), params).toString();
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
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  state.set(read());
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
  addEventListener("popstate", () => state.set(read()));
  addEventListener("hashchange", () => state.set(read()));
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
      return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link?.href || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (!parsePath(link.pathname)) return;
    event.preventDefault();
    const isNewPage = link.pathname !== location.pathname;
    go(link.pathname + link.search + link.hash);
    if (isNewPage) scrollTo(0, 0);
  });
}
