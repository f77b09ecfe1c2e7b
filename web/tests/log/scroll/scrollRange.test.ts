import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_HEIGHT, ScrollRange } from "../../../viewer/log/scroll/scrollRange";

const SEEN = 800;

function ranged(total: number): ScrollRange {
  const range = new ScrollRange();
  range.resize(total, SEEN);
  return range;
}

void test("a log that fits is scrolled as it is", () => {
  const range = ranged(100_000);
  range.moved(5_000);
  assert.deepEqual([range.offset, range.shift, range.height], [5_000, 0, 100_000]);
  range.place(1e9);
  assert.deepEqual([range.offset, range.top], [99_200, 99_200]);
  assert.equal(range.isStuck, false);
  range.resize(50_000, SEEN);
  assert.equal(range.offset, 49_200);
});

void test("a log that does not fit is scrolled by pixels near by and in proportion far away", () => {
  const total = 20_000_000;
  const range = ranged(total);
  assert.equal(range.height, MAX_HEIGHT);
  range.place(total);
  assert.deepEqual([range.offset, range.top], [total - SEEN, MAX_HEIGHT - SEEN]);
  range.moved((MAX_HEIGHT - SEEN) / 2);
  assert.equal(range.offset, (total - SEEN) / 2);
  const before = range.offset;
  for (let step = 1; step <= 10; step++) range.moved(range.top + 100);
  assert.equal(range.offset, before + 1_000);
});

void test("resting brings both together without a move of what is seen", () => {
  const range = ranged(20_000_000);
  range.place(10_000_000);
  range.moved(range.top + 1_000);
  const { offset } = range;
  assert.equal(range.settle(), true);
  assert.equal(range.offset, offset);
  assert.equal(range.settle(), false);
});

void test("the ends of a long log are reached by small moves from anywhere", () => {
  for (const [from, step] of [
    [3_000_000, -400],
    [17_000_000, 400],
  ] as const) {
    const range = ranged(20_000_000);
    range.place(from);
    const goal = step < 0 ? 0 : range.max;
    for (let moves = 0; range.offset !== goal; moves++) {
      assert.ok(moves < 20_000, "it never arrives");
      range.moved(Math.min(Math.max(range.top + step, 0), MAX_HEIGHT - SEEN));
      if (range.isStuck) range.settle();
    }
    assert.equal(range.offset, goal);
  }
});
