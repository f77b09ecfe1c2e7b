import assert from "node:assert/strict";
import { test } from "node:test";

import { telling } from "../../../viewer/log/text/telling";

const FRAMES = '  File "a.py", line 1, in <module>\n    work()\n    ~~~~^^\n';

const TOLD: Record<string, [error: string, said: string]> = {
  "one line": ["OSError: disk full", "OSError: disk full"],
  "colours": ["\u001b[31mOSError\u001b[0m: disk full", "OSError: disk full"],
  "a link to a manual behind it": [
    "OperationalError: no such table: orders\n[SQL: select 1]\n(Background on this error at: https://sqlalche.me/e/20/e3q8)",
    "OperationalError: no such table: orders",
  ],
  "a validation": [
    "ValidationError: 1 validation error for Order\nprice\n  Field required [type=missing]\n    For further information visit https://x",
    "ValidationError: 1 validation error for Order · price · Field required [type=missing]",
  ],
  "a traceback with a note": [
    `Traceback (most recent call last):\n${FRAMES}ValueError: no price\nof order 7`,
    "ValueError: no price",
  ],
  "a chain": [
    `Traceback (most recent call last):\n${FRAMES}KeyError: 'a'\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n${FRAMES}RuntimeError: disk quota exceeded`,
    "RuntimeError: disk quota exceeded",
  ],
  "an exception group": [
    "  + Exception Group Traceback (most recent call last):\n  |   File \"a.py\", line 1\n  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)\n  +-+---------------- 1 ----------------\n    | Traceback (most recent call last):\n    |   File \"b.py\", line 2\n    | ValueError: no price\n    +------------------------------------",
    "ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception): ValueError: no price",
  ],
  "a wrong command line": [
    "usage: load [-h] --day DAY\nload: error: the following arguments are required: --day",
    "load: error: the following arguments are required: --day",
  ],
  "Node": ["/app/index.js:3\n    throw new TypeError('x')\n    ^\n\nTypeError: x\n    at main (/app/index.js:3)", "TypeError: x"],
  "Java": ["java.lang.IllegalStateException: no price\n\tat a.B.c(B.java:3)", "java.lang.IllegalStateException: no price"],
  "a syntax error": ['  File "a.py", line 1\n    def\n       ^\nSyntaxError: invalid syntax', "SyntaxError: invalid syntax"],
  "what leads on": ["the job ended with:\nValueError: no email", "ValueError: no email"],
  "nothing": ["", ""],
};

for (const [kind, [error, said]] of Object.entries(TOLD)) {
  void test(`an error is said by its telling line: ${kind}`, () => { assert.equal(telling(error), said); });
}
