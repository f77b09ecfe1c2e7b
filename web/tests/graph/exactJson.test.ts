import assert from "node:assert/strict";
import { test } from "node:test";

import { isNumber, parsed, sayJson, written } from "../../viewer/graph/exactJson";

interface Answer {
  seq: number;
  metadata: unknown;
}

void test("numbers of a metadata are said and sent as they were captured", () => {
  const metadata = '{"order":1546130668394913822,"ratio":1.0,"small":1e-7,"text":"12345678901234567890","list":[9007199254740993,2]}';
  const answer = parsed(`{"seq":3.0,"metadata":${metadata}}`) as Answer;
  assert.equal(answer.seq, 3);
  assert.equal(sayJson(answer.metadata).replace(/\s/g, ""), metadata);
  assert.equal(written(answer.metadata), metadata);
  assert.ok(isNumber((answer.metadata as { order: unknown }).order));
  assert.ok(!isNumber((answer.metadata as { text: unknown }).text));
});

void test("the API's own numbers are numbers", () => {
  assert.deepEqual(parsed('{"progress":{"percentage":50.0,"current":1000000000000000.0}}'), {
    progress: { percentage: 50, current: 1e15 },
  });
});
