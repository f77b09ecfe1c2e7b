import assert from "node:assert/strict";
import { test } from "node:test";

import "./browserGlobals";

import { readSelection, type Selection, selectionParams, withStage, withTask, withTimes } from "../viewer/selection";
import { merged } from "../viewer/routes";

const WHOLE: Selection = {
  stage: "a/b",
  taskId: "t 1",
  since: "2026-11-26T22:00:00.000001Z",
  until: "2026-11-26T22:00:01Z",
  levels: ["INFO", "ERROR"],
  search: "50 % & more",
  regex: true,
  onlyMatches: true,
};

void test("a selection survives the way into the address and back", () => {
  for (const selection of [{}, WHOLE, { minLevel: "WARNING" } as const]) {
    const text = merged(new URLSearchParams("view=failure"), selectionParams(selection)).toString();
    assert.deepEqual(readSelection(new URLSearchParams(text)), selection);
  }
});

void test("a level that does not exist is not selected", () => {
  assert.deepEqual(readSelection(new URLSearchParams("level=LOUD&minLevel=loud")), {});
});

void test("a click selects, and one more takes it back and nothing else", () => {
  const searched: Selection = { search: "x" };
  const task = withTask(withStage(searched, "a"), "a", "t");
  assert.deepEqual(task, { search: "x", stage: "a", taskId: "t" });
  assert.deepEqual(withStage(task, "a"), { search: "x", stage: "a" });
  assert.deepEqual(withTask(task, "a", "t"), searched);
  const timed = withTimes(searched, "1", "2");
  assert.deepEqual(withTimes(timed, "1", "3"), { search: "x", since: "1", until: "3" });
  assert.deepEqual(withTimes(timed, "1", "2"), searched);
});
