import assert from "node:assert/strict";
import { test } from "node:test";

import { Ranges } from "../../../viewer/log/model/ranges";

void test("ranges that touch are one, whatever the order in which they come", () => {
  const ranges = new Ranges();
  const numbers = new Set<number>();
  for (let step = 0; step < 300; step++) {
    const from = (step * 7919) % 1000;
    const to = from + ((step * 31) % 4);
    const joined = ranges.add({ from, to });
    for (let number = from; number <= to; number++) numbers.add(number);
    assert.ok(joined.from <= from && to <= joined.to);
  }
  for (let number = 0; number < 1010; number++) {
    const found = ranges.find(number);
    assert.equal(found !== null, numbers.has(number));
    if (found) assert.ok(!numbers.has(found.from - 1) && !numbers.has(found.to + 1));
  }
});
