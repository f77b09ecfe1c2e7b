import assert from "node:assert/strict";
import { test } from "node:test";

import { pieces, stripped } from "../../../viewer/log/text/ansi";

const ESC = "\u001b";

void test("text without escapes is one piece without style", () => {
  assert.deepEqual(pieces("plain"), [{ text: "plain", className: "", style: {} }]);
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
  assert.deepEqual(pieces(`${ESC}[38;5;9mx`)[0]?.className, "ansi-9");
  assert.deepEqual(pieces(`${ESC}[38;5;196;4mx`)[0]?.className, "ansi-underline ansi-rgb");
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

void test("whatever else a terminal understands is left out", () => {
  const noise = `${ESC}]0;title\u0007${ESC}[2K${ESC}[1Gdone${ESC}]8;;http://x${ESC}\\link${ESC}]8;;${ESC}\\\u0008${ESC}(B`;
  assert.equal(stripped(noise), "donelink");
  assert.deepEqual(
    pieces(noise).map((piece) => piece.text),
    ["donelink"],
  );
  assert.equal(stripped("a\tb\nc"), "a\tb\nc");
});
