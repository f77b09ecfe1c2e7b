import assert from "node:assert/strict";
import { test } from "node:test";

import { folded, linesOf } from "../../../viewer/log/text/folding";

void test("one line is not folded, nor is one with a line end behind it", () => {
  assert.deepEqual(folded("one"), { first: "one", hidden: 0, last: null });
  assert.deepEqual(folded("one\n"), { first: "one", hidden: 0, last: null });
});

void test("several lines fold to the first and the number of the others", () => {
  assert.deepEqual(folded("one\ntwo\r\nthree\n"), { first: "one", hidden: 2, last: null });
  assert.deepEqual(folded("10 %\r20 %\r30 %"), { first: "10 %", hidden: 2, last: null });
  assert.deepEqual(linesOf("one\n\nthree\n"), ["one", "", "three"]);
});

void test("a traceback shows what it ends with", () => {
  const text = "Traceback (most recent call last):\n  File 'a.py', line 1\n    boom()\nValueError: no CV";
  assert.deepEqual(folded(text), { first: "Traceback (most recent call last):", hidden: 3, last: "ValueError: no CV" });
  assert.equal(folded(`Scoring failed\n${text}`).last, "ValueError: no CV");
});
