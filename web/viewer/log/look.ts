// How lines are drawn, as the visitor likes it.
import { Preference, useObserved } from "../observed";
import { type TimeStyle, timeStyle } from "../time";

const SWITCH = ["off", "on"] as const;

/** On a phone a line that does not wrap is hardly seen. */
export const wrapping = new Preference("log.wrap", SWITCH, matchMedia("(max-width: 40rem)").matches ? "on" : "off");
export const unfolding = new Preference("log.unfold", SWITCH, "off");
export const placing = new Preference("log.place", SWITCH, "on");
export const timing = new Preference<TimeStyle | "none">("log.time", ["local", "utc", "relative", "none"], "local");

export interface Look {
  isWrapped: boolean;
  isUnfolded: boolean;
  hasPlace: boolean;
  time: TimeStyle | "none";
}

/** By which clock times are said that are no line's: as lines say theirs, and where those do not, as the page does. */
export function useClockStyle(): "local" | "utc" {
  const [ofLines, ofPage] = [useObserved(timing), useObserved(timeStyle)];
  return (ofLines === "local" || ofLines === "utc" ? ofLines : ofPage) === "utc" ? "utc" : "local";
}

export function useLook(): Look {
  return {
    isWrapped: useObserved(wrapping) === "on",
    isUnfolded: useObserved(unfolding) === "on",
    hasPlace: useObserved(placing) === "on",
    time: useObserved(timing),
  };
}
