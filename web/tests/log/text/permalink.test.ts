import assert from "node:assert/strict";
import { test } from "node:test";

import { between, contains, readHash, writeHash } from "../../../viewer/log/text/permalink";

void test("a hash names a line or a range, either way round", () => {
  assert.deepEqual(readHash("#L120"), { from: 120, to: 120 });
  assert.deepEqual(readHash("#L120-L140"), { from: 120, to: 140 });
  assert.deepEqual(readHash("#L140-120"), { from: 120, to: 140 });
  for (const other of ["", "#", "#L", "#L0", "#L12x", "#main", "#L1-L"]) assert.equal(readHash(other), null);
});

void test("what is written is read back", () => {
  for (const range of [between(7, 7), between(9, 3)]) assert.deepEqual(readHash(writeHash(range)), range);
  assert.equal(writeHash(between(9, 3)), "#L3-L9");
});

void test("a range holds both of its ends", () => {
  const range = between(3, 5);
  assert.deepEqual(
    [2, 3, 5, 6].map((seq) => contains(range, seq)),
    [false, true, true, false],
  );
  assert.equal(contains(null, 1), false);
});
