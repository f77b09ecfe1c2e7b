import assert from "node:assert/strict";
import { test } from "node:test";

import texts from "../../../../tests/terminal_texts.json" with { type: "json" };
import { linesOf, pieces, plain, shown } from "../../../viewer/log/text/terminal";

const ESC = "\u001b";

void test("a text is shown as a terminal shows it", () => {
  for (const [written, seen] of texts) assert.equal(shown(written ?? ""), seen, JSON.stringify(written));
});

void test("text without escapes is one piece without style", () => {
  assert.deepEqual(pieces("plain"), [{ text: "plain", link: null, className: "", style: {} }]);
  assert.deepEqual(pieces(""), []);
});

void test("the 16 colours are classes of the theme, and a reset ends them", () => {
  const found = pieces(`${ESC}[31mred${ESC}[0m plain ${ESC}[1;92mbold green${ESC}[22m green${ESC}[39m plain`);
  assert.deepEqual(
    found.map(({ text, className }) => [text, className]),
    [
      ["red", "ansi-1"],
      [" plain ", ""],
      ["bold green", "ansi-bold ansi-10"],
      [" green", "ansi-10"],
      [" plain", ""],
    ],
  );
});

void test("colours of 256 and of 24 bits are read in both of their forms", () => {
  const colors = (text: string): unknown[] => pieces(text).map((piece) => piece.style["--ansi-color"]);
  assert.deepEqual(colors(`${ESC}[38;5;196mx`), ["rgb(255 0 0)"]);
  assert.deepEqual(colors(`${ESC}[38;5;244mx`), ["rgb(128 128 128)"]);
  assert.deepEqual(colors(`${ESC}[38;2;1;2;3mx`), ["rgb(1 2 3)"]);
  assert.deepEqual(colors(`${ESC}[38:2::1:2:3mx`), ["rgb(1 2 3)"]);
  assert.deepEqual(colors(`${ESC}[38:2:1:2:3mx`), ["rgb(1 2 3)"]);
  assert.deepEqual(pieces(`${ESC}[38;5;9mx`)[0]?.className, "ansi-9");
  assert.deepEqual(pieces(`${ESC}[38;5;196;4mx`)[0]?.className, "ansi-underline ansi-rgb");
});

void test("the colour of an underline is no colour of the text, and one that is cut is none", () => {
  assert.equal(pieces(`${ESC}[4;58;2;31;32;33mx`)[0]?.className, "ansi-underline");
  assert.deepEqual(pieces(`${ESC}[38;5mx`)[0]?.style, {});
});

void test("text on a background is legible: as written where it can be, else black or white", () => {
  assert.deepEqual(pieces(`${ESC}[97;44mx`)[0]?.style, { color: "rgb(255 255 255)", backgroundColor: "rgb(0 0 238)" });
  assert.deepEqual(pieces(`${ESC}[33;47mx`)[0]?.style, { color: "rgb(0 0 0)", backgroundColor: "rgb(229 229 229)" });
  assert.deepEqual(pieces(`${ESC}[41mx`)[0]?.style.color, "rgb(255 255 255)");
});

void test("inverse swaps the colours, or is left to the theme", () => {
  assert.equal(pieces(`${ESC}[7mx`)[0]?.className, "ansi-inverse");
  assert.equal(pieces(`${ESC}[31;7mx`)[0]?.style.backgroundColor, "rgb(205 0 0)");
});

void test("what is written over a line has its own colour", () => {
  const found = pieces(`${ESC}[31m 10 %\r${ESC}[32m100`);
  assert.deepEqual(
    found.map(({ text, className }) => [text, className]),
    [
      ["100", "ansi-2"],
      [" %", "ansi-1"],
    ],
  );
});

void test("a link leads where it says by http, https and mailto alone", () => {
  const link = (address: string): unknown => pieces(`${ESC}]8;id=1;${address}${ESC}\\here${ESC}]8;;${ESC}\\`)[0]?.link;
  assert.equal(link("https://example.com/a;b"), "https://example.com/a;b");
  assert.equal(link("mailto:a@example.com"), "mailto:a@example.com");
  assert.equal(link("javascript:alert(1)"), null);
  assert.equal(link("file:///etc/passwd"), null);
});

void test("the lines of a text keep the colour that an earlier one began", () => {
  const lines = linesOf(pieces(`${ESC}[31mone\ntwo${ESC}[0m\n\nthree`));
  assert.deepEqual(lines.map(plain), ["one", "two", "", "three"]);
  assert.equal(lines[1]?.[0]?.className, "ansi-1");
  assert.deepEqual(lines[2], []);
});

void test("a line that is written over without end is read from its last return on", () => {
  const long = "x".repeat(20_000);
  assert.equal(shown(`${`${long}\r`.repeat(100)}last\n${"ab\b".repeat(5_000)}`.slice(0, 2_000_104)).split("\n")[0], "last");
});
