import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const TOKENS = new Map(
  [...readFileSync("viewer/theme.css", "utf8").matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(
    ([, name = "", light = "", dark = ""]) => [name, { light, dark }],
  ),
);
const SURFACES = [...TOKENS.keys()].filter((name) => name.startsWith("surface"));
const TEXTS = [...TOKENS.keys()].filter((name) => /^(text|accent$|level-|status-|ansi-)/.test(name));

for (const theme of ["light", "dark"] as const) {
  const colour = (name: string) => TOKENS.get(name)?.[theme] ?? assert.fail(`no token ${name}`);

  void test(`every text has contrast AA on every surface, ${theme}`, () => {
    assert.ok(SURFACES.length > 4 && TEXTS.length > 25);
    const poor = SURFACES.flatMap((surface) =>
      TEXTS.map((text) => ({ text, surface, ratio: contrast(colour(text), colour(surface)) })),
    ).filter(({ ratio }) => ratio < 4.5);
    assert.deepEqual(poor, []);
  });

  void test(`text on the accent and on marks can be read, ${theme}`, () => {
    assert.ok(contrast(colour("on-accent"), colour("accent")) >= 4.5);
    assert.ok(contrast(colour("text"), colour("mark")) >= 4.5);
    assert.ok(contrast(colour("on-mark"), colour("mark-current")) >= 4.5);
  });

  void test(`borders of fields and bars can be told from what is behind them, ${theme}`, () => {
    for (const name of ["line-strong", "bar-error", "bar-warning", "bar-running", "bar-completed"]) {
      const ratio = contrast(colour(name), colour("surface"));
      assert.ok(ratio >= (name.startsWith("line") ? 3 : 1.5), `${name}: ${ratio}`);
    }
  });
}

/** WCAG 2.2, relative luminance and contrast ratio. */
function contrast(first: string, second: string): number {
  const [low = 0, high = 0] = [luminance(first), luminance(second)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
