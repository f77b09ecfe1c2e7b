import assert from "node:assert/strict";
import { test } from "node:test";

import { folded } from "../../../viewer/log/text/folding";
import { plain } from "../../../viewer/log/text/terminal";

function texts(message: string): unknown {
  const { lines, hidden, last } = folded(message);
  return { first: plain(lines[0] ?? []), hidden, last: last && plain(last) };
}

void test("one line is not folded, nor is one with a line end behind it", () => {
  assert.deepEqual(texts("one"), { first: "one", hidden: 0, last: null });
  assert.deepEqual(texts("one\n"), { first: "one", hidden: 0, last: null });
});

void test("several lines fold to the first and the number of the others", () => {
  assert.deepEqual(texts("one\ntwo\r\nthree\n"), { first: "one", hidden: 2, last: null });
  assert.deepEqual(folded("one\n\nthree\n").lines.map(plain), ["one", "", "three"]);
});

void test("a progress bar is one line, in its last state", () => {
  assert.deepEqual(texts("10 %\r20 %\r30 %"), { first: "30 %", hidden: 0, last: null });
});

void test("a traceback shows what it ends with", () => {
  const text = "Traceback (most recent call last):\n  File 'a.py', line 1\n    boom()\nValueError: no CV";
  assert.deepEqual(texts(text), { first: "Traceback (most recent call last):", hidden: 3, last: "ValueError: no CV" });
  assert.equal((texts(`Scoring failed\n${text}`) as { last: string }).last, "ValueError: no CV");
});
