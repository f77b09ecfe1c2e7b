import assert from "node:assert/strict";
import { test } from "node:test";

import { liveness, type Standing } from "../../../viewer/log/model/liveness";

const LIVE: Standing = { phase: "live", reason: "", behind: 0, jobStatus: null, heardAt: 0 };

void test("a page says what it is", () => {
  const kinds = (standing: Partial<Standing>, now = 0) => liveness({ ...LIVE, ...standing }, false, now).kind;
  assert.equal(liveness(null, false, 0).kind, "waiting");
  assert.equal(liveness(null, true, 0).kind, "refused");
  assert.equal(kinds({}), "live");
  assert.equal(kinds({ behind: 1_001 }), "behind");
  assert.equal(kinds({ phase: "connecting" }), "waiting");
  assert.equal(kinds({ phase: "lost" }), "lost");
  assert.equal(kinds({ phase: "refused" }), "refused");
});

void test("a page that has not heard anything for long says so, also while it connects", () => {
  for (const phase of ["lost", "connecting"] as const) {
    assert.match(liveness({ ...LIVE, phase }, false, 61_000).text, /^Stale: last heard 61 s ago/);
  }
});

void test("a finished job says how it ended, and how far behind the page is counts lines", () => {
  assert.equal(liveness({ ...LIVE, phase: "ended", jobStatus: "FAILED" }, false, 1e9).text, "Finished: failed");
  assert.equal(liveness({ ...LIVE, behind: 12_345 }, false, 0).text, "Behind by 12,345 lines");
});
