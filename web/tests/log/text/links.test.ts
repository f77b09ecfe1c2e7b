import assert from "node:assert/strict";
import { test } from "node:test";

import { linked } from "../../../viewer/log/text/links";
import { pieces } from "../../../viewer/log/text/terminal";

function links(text: string): unknown[] {
  return linked(pieces(text)).flatMap((piece) => (piece.link === null ? [] : [piece.link]));
}

void test("addresses are links without what belongs to the sentence", () => {
  assert.deepEqual(links("see https://a.example/b?c=d#e, and (http://b.example/x_(y))."), [
    "https://a.example/b?c=d#e",
    "http://b.example/x_(y)",
  ]);
  assert.deepEqual(links('<a href="https://c.example">'), ["https://c.example"]);
  assert.deepEqual(links("mailto:a@b.example"), ["mailto:a@b.example"]);
});

void test("nothing else is a link", () => {
  assert.deepEqual(links("javascript:alert(1) file:///x ftp://y www.example.com xhttp"), []);
});

void test("an address in several colours is one link, and the text stays whole", () => {
  const text = "go \u001b[31mhttps://a\u001b[32m.example/x\u001b[0m now";
  assert.deepEqual(links(text), ["https://a.example/x", "https://a.example/x"]);
  assert.equal(linked(pieces(text)).map((piece) => piece.text).join(""), "go https://a.example/x now");
});
