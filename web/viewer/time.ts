// How times are said, on the whole page alike: since when, by the visitor's clock, or in UTC.
import { useEffect } from "preact/hooks";

import { serviceNow } from "./clock";
import { Preference, State, useObserved } from "./observed";

export type TimeStyle = "relative" | "local" | "utc";
export const timeStyle = new Preference<TimeStyle>("time", ["relative", "local", "utc"], "relative");

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The present by the service's clock, for what counts on. It ticks once a second while somebody looks. */
const present = new State(serviceNow());
let lookers = 0;
let ticking: number | undefined;

export function useNow(isNeeded = true): number {
  useEffect(() => {
    if (!isNeeded) return;
    if (lookers++ === 0) ticking = window.setInterval(() => present.set(serviceNow()), SECOND);
    present.set(serviceNow());
    return () => {
      if (--lookers === 0) clearInterval(ticking);
    };
  }, [isNeeded]);
  return useObserved(present);
}

/** A time as the style has it: "12 s ago", "14:03:05", "14:03:05Z"; of another day with its date. */
export function sayTime(iso: string, style: TimeStyle, now: number): string {
  if (style === "relative") return sayAgo(now - Date.parse(iso));
  const time = sayClock(iso, style);
  const isToday = sayDate(iso, style) === sayDate(new Date(now).toISOString(), style);
  return isToday ? time : `${sayDate(iso, style)} ${time}`;
}

/** A time of day: "14:03:05.123", to the millisecond where that is asked for. */
export function sayClock(iso: string, style: "local" | "utc", isExact = false): string {
  const date = new Date(iso);
  const [hours, minutes, seconds, millis] =
    style === "utc"
      ? [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds(), date.getUTCMilliseconds()]
      : [date.getHours(), date.getMinutes(), date.getSeconds(), date.getMilliseconds()];
  const time = `${two(hours)}:${two(minutes)}:${two(seconds)}`;
  return time + (isExact ? `.${String(millis).padStart(3, "0")}` : "") + (style === "utc" ? "Z" : "");
}

/** A day: "2026-11-26". */
export function sayDate(iso: string, style: "local" | "utc"): string {
  const date = new Date(iso);
  return style === "utc"
    ? iso.slice(0, 10)
    : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** The whole time, for a title: local, with its offset, and UTC. */
export function sayWhole(iso: string): string {
  return `${sayDate(iso, "local")} ${sayClock(iso, "local", true)} (${iso})`;
}

export function sayAgo(ms: number): string {
  if (ms < 0) return ms > -2 * SECOND ? "now" : `in ${sayDuration(-ms)}`; // clocks differ
  if (ms < 2 * SECOND) return "now";
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s ago`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ago`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h ago`;
  return `${Math.floor(ms / DAY)} d ago`;
}

/** "340 ms", "4.2 s", "3:07 min", "2 h 05 min", "3 d 4 h". */
export function sayDuration(ms: number): string {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10 * SECOND) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}:${two(Math.floor((ms % MINUTE) / SECOND))} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h ${two(Math.floor((ms % HOUR) / MINUTE))} min`;
  return `${Math.floor(ms / DAY)} d ${Math.floor((ms % DAY) / HOUR)} h`;
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}
