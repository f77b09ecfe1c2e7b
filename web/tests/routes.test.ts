import assert from "node:assert/strict";
import { test } from "node:test";

import "./browserGlobals";

import { merged, parsePath, path } from "../viewer/routes";

const IDS = ["JB_1", "a/b", "a b?c#d%e&f", "ü→🙂", "logs", "..%2F"];

void test("an id of any characters survives the way into an address and back", () => {
  for (const id of IDS) {
    for (const route of [{ page: "job", jobId: id } as const, { page: "execution", executionId: id } as const]) {
      const { pathname } = new URL(path(route), "http://localhost");
      assert.deepEqual(parsePath(pathname), route);
    }
  }
});

void test("what the service answers itself is no page", () => {
  for (const address of ["/graphql", "/static/a.js", "/jobs", "/jobs/", "/jobs/a/logs", "/executions/a/logs", "/jobs/%"]) {
    assert.equal(parsePath(address), null, address);
  }
});

void test("params are set, repeated and taken out", () => {
  const params = merged(new URLSearchParams("stage=a&level=INFO"), { stage: null, level: ["INFO", "ERROR"], task: "t" });
  assert.equal(params.toString(), "level=INFO&level=ERROR&task=t");
});
