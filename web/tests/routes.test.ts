import assert from "node:assert/strict";
import { test } from "node:test";

import "./browserGlobals";

import { href, merged, parsePath } from "../viewer/routes";

const IDS = ["JB_1", "a/b", "a b?c#d%e&f", "ü→🙂", "logs", "..%2F", ".", ".."];

void test("an id of any characters survives the way into an address and back", () => {
  for (const id of IDS) {
    for (const route of [{ page: "job", jobId: id } as const, { page: "execution", executionId: id } as const]) {
      const { pathname, searchParams } = new URL(href(route, { view: "failure" }), "http://localhost");
      assert.deepEqual(parsePath(pathname, searchParams), route);
      assert.equal(searchParams.get("view"), "failure");
    }
  }
});

void test("what the service answers itself is no page", () => {
  for (const address of ["/graphql", "/static/a.js", "/jobs/a/logs", "/executions/a/logs", "/jobs/%"]) {
    assert.equal(parsePath(address), null, address);
  }
});

void test("a slash at the end, and an address that was cut, lead to a page", () => {
  assert.deepEqual(parsePath("/jobs"), { page: "jobs" });
  assert.deepEqual(parsePath("/jobs/"), { page: "jobs" });
  assert.deepEqual(parsePath("/jobs/JB_1/"), { page: "job", jobId: "JB_1" });
  assert.deepEqual(parsePath("/executions/"), { page: "executions" });
});

void test("params are set, repeated and taken out", () => {
  const params = merged(new URLSearchParams("stage=a&level=INFO"), { stage: null, level: ["INFO", "ERROR"], task: "t" });
  assert.equal(params.toString(), "level=INFO&level=ERROR&task=t");
});
