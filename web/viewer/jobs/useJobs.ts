// A live list of jobs for as long as a component is on the screen.
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef } from "preact/hooks";

import type { JobFilter } from "../graph/generated";
import { useObserved } from "../observed";
import { keptScroll } from "../routes";
import { JobList, type JobListState } from "./jobList";

const TOP_PX = 8;

/** While another filter's first page is on its way the rows of the one before stay. */
export function useJobs(filter: JobFilter, frame: RefObject<HTMLElement | null>): { state: JobListState; list: JobList } {
  const list = useMemo(() => new JobList(filter, () => scrollY < TOP_PX && !isBusy(frame.current)), [filter]);
  useEffect(() => () => list.close(), [list]);
  useEffect(() => {
    const show = () => {
      if (scrollY < TOP_PX && !isBusy(frame.current)) list.showHeld();
    };
    const element = frame.current;
    element?.addEventListener("pointerleave", show);
    element?.addEventListener("focusout", show);
    return () => {
      element?.removeEventListener("pointerleave", show);
      element?.removeEventListener("focusout", show);
    };
  }, [list]);
  const state = useObserved(list.state);
  const last = useRef(state);
  if (state.totalCount !== null || state.error) last.current = state;
  const hasRows = last.current.jobs.length > 0;
  const isBack = useRef(keptScroll() > 0);
  useLayoutEffect(() => {
    if (hasRows && isBack.current) {
      scrollTo(0, keptScroll());
      isBack.current = false;
    }
  }, [hasRows]);
  return { state: last.current, list };
}

/** Whether somebody is about to choose a row: it must not move away. */
function isBusy(element: HTMLElement | null): boolean {
  return element !== null && (element.matches(":hover") || element.contains(document.activeElement));
}
