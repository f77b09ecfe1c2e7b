import assert from "node:assert/strict";
import { test } from "node:test";

import { Heights } from "../../../viewer/log/scroll/heights";

void test("rows of one height need no measuring", () => {
  const heights = new Heights(20);
  heights.setRange(1, 1_000_001);
  assert.equal(heights.total, 20_000_000);
  assert.equal(heights.offsetOf(500_001), 10_000_000);
  assert.equal(heights.slotAt(10_000_019), 500_001);
  assert.equal(heights.slotAt(-5), 1);
  assert.equal(heights.slotAt(1e12), 1_000_000);
});

void test("measured lines move what comes behind them, as a plain sum says", () => {
  const heights = new Heights(10);
  const plain = new Map<number, number>();
  heights.setRange(-300, 900);
  for (let step = 1; step < 400; step++) {
    const slot = ((step * 7919) % 1200) - 300;
    const height = 10 + ((step * 31) % 50);
    heights.measured(slot, height);
    plain.set(slot, height);
  }
  let offset = 0;
  for (let slot = -300; slot < 900; slot++) {
    assert.equal(heights.offsetOf(slot), offset);
    assert.equal(heights.slotAt(offset), slot);
    offset += plain.get(slot) ?? 10;
    assert.equal(heights.slotAt(offset - 1), slot);
  }
  assert.equal(heights.total, offset);
});

void test("a measurement that says nothing new is no news", () => {
  const heights = new Heights(10);
  heights.setRange(0, 10);
  assert.equal(heights.measured(3, 10), false);
  assert.equal(heights.measured(3, 30), true);
  assert.equal(heights.measured(3, 30), false);
  assert.equal(heights.measured(3, 10), true);
  assert.equal(heights.total, 100);
});

void test("lines that leave the range leave the sum", () => {
  const heights = new Heights(10);
  heights.setRange(0, 1000);
  heights.measured(5, 110);
  heights.measured(900, 60);
  heights.setRange(6, 1000);
  assert.equal(heights.total, 9940 + 50);
  heights.setRange(512, 1000);
  assert.equal(heights.total, 4880 + 50);
  heights.clear();
  assert.equal(heights.total, 4880);
});

void test("what has no height keeps none when the others are forgotten", () => {
  const heights = new Heights(10);
  heights.setRange(0, 100);
  heights.measured(3, 0);
  heights.measured(5, 50);
  heights.clear();
  assert.deepEqual([heights.total, heights.heightOf(3)], [990, 0]);
});
