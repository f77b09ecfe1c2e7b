import assert from "node:assert/strict";
import { test } from "node:test";

import "./browserGlobals";

import { sayAgo, sayClock, sayDuration, sayTime } from "../viewer/time";

void test("durations are said in two units at most", () => {
  const said = [0, 340, 4_250, 59_999, 187_000, 7_500_000, 273_600_000].map(sayDuration);
  assert.deepEqual(said, ["0 ms", "340 ms", "4.2 s", "59 s", "3:07 min", "2 h 05 min", "3 d 4 h"]);
});

void test("a worker whose clock is ahead is in no past", () => {
  assert.deepEqual([sayAgo(-500), sayAgo(-90_000), sayAgo(90_000)], ["now", "in 1:30 min", "1 min ago"]);
});

void test("UTC is said as such, and another day with its date", () => {
  const iso = "2026-11-26T22:04:05.123456Z";
  assert.equal(sayClock(iso, "utc", true), "22:04:05.123Z");
  assert.equal(sayTime(iso, "utc", Date.parse("2026-11-26T23:00:00Z")), "22:04:05Z");
  assert.equal(sayTime(iso, "utc", Date.parse("2026-11-27T01:00:00Z")), "2026-11-26 22:04:05Z");
});
