import assert from "node:assert/strict";
import { test } from "node:test";

import { pieces } from "../../../viewer/log/text/terminal";
import { finder, marked } from "../../../viewer/log/text/finding";

const found = (search: string, isRegex: boolean, text: string): string[] | undefined =>
  finder(search, isRegex)(text)?.map(({ from, to }) => text.slice(from, to));

void test("a plain search finds every place in any case", () => {
  assert.deepEqual(found("cv", false, "No CV, no cv"), ["CV", "cv"]);
  assert.deepEqual(found("aa", false, "aaaa"), ["aa", "aa"]);
  assert.deepEqual(found("STRASSE", false, "İ strasse"), ["strasse"]);
  assert.deepEqual(found("[x]", false, "a[x]b"), ["[x]"]);
});

void test("a pattern is read as the service reads it", () => {
  assert.deepEqual(found("^no \\w+$", true, "No CV\nno"), ["No CV"]);
  assert.deepEqual(found("(?-i)no", true, "No no"), ["no"]);
  assert.deepEqual(found("\\x{1F600}", true, "a😀b"), ["😀"]);
  assert.deepEqual(found("(?P<n>\\d+)", true, "a1b22"), ["1", "22"]);
  assert.deepEqual(found("\\Aa", true, "a\na"), ["a"]);
  assert.deepEqual(found("a.b", true, "a\nb"), []);
  assert.deepEqual(found("(?s)a.b", true, "a\nb"), ["a\nb"]);
});

void test("a pattern that the browser cannot search in bounded time finds nothing, quickly", () => {
  const text = "a".repeat(400);
  const start = performance.now();
  assert.equal(found("(a+)+$", true, `${text}b`), undefined);
  assert.equal(found(".*a.*b.*c.*d", true, text), undefined);
  assert.equal(found("(", true, text), undefined);
  found(".*a.*b", true, text);
  assert.ok(performance.now() - start < 1_000);
});

void test("hits cut styled text without losing a letter", () => {
  const cut = marked(pieces("ab\u001b[31mcd\u001b[0mef"), [{ from: 1, to: 5 }]);
  assert.deepEqual(
    cut.map(({ text, className, isHit }) => [text, className, isHit]),
    [
      ["a", "", false],
      ["b", "", true],
      ["cd", "ansi-1", true],
      ["e", "", true],
      ["f", "", false],
    ],
  );
});
