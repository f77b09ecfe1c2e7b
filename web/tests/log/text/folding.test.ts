import assert from "node:assert/strict";
import { test } from "node:test";

import type { PreviewFragment } from "../../../viewer/graph/generated";
import { folded } from "../../../viewer/log/text/folding";
import { plain } from "../../../viewer/log/text/terminal";

function whole(head: string, more: Partial<PreviewFragment> = {}): PreviewFragment {
  return { head, tail: null, hiddenLines: 0, hiddenCharacters: 0, exception: null, ...more };
}

function texts(preview: PreviewFragment): unknown {
  const { lines, hidden } = folded(preview);
  return { first: plain(lines[0] ?? []), hidden };
}

void test("one line is not folded, nor is one with a line end behind it", () => {
  assert.deepEqual(texts(whole("one")), { first: "one", hidden: 0 });
  assert.deepEqual(texts(whole("one\n")), { first: "one", hidden: 0 });
});

void test("several lines fold to the first and the number of the others", () => {
  assert.deepEqual(texts(whole("one\ntwo\r\nthree\n")), { first: "one", hidden: 2 });
  assert.deepEqual(folded(whole("one\n\nthree\n")).lines.map(plain), ["one", "", "three"]);
});

void test("a progress bar is one line, in its last state", () => {
  assert.deepEqual(texts(whole("10 %\r20 %\r30 %")), { first: "30 %", hidden: 0 });
});

void test("of a long record the lines that are not here are hidden, too", () => {
  const { tail, hidden, missing, exception } = folded(
    whole("Traceback\n  a\n", { tail: "  y\nKeyError: 'z'\n", hiddenLines: 20, hiddenCharacters: 900, exception: "KeyError: 'z'" }),
  );
  assert.deepEqual(tail.map(plain), ["  y", "KeyError: 'z'"]);
  assert.deepEqual([hidden, missing, exception], [23, 900, "KeyError: 'z'"]);
});

void test("a long record of one line hides no line", () => {
  const { hidden, missing } = folded(whole("aaa", { tail: "bbb", hiddenCharacters: 4_000 }));
  assert.deepEqual([hidden, missing], [0, 4_000]);
});
