"""Lines that are hard to carry: what a job says, and what must be read back."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from jobtail.events import LogLevel

LARGE = "fifty megabytes of a message that nobody cut - "


@dataclass(frozen=True, slots=True)
class AwkwardLine:
    name: str
    message: Callable[[], str]
    level: LogLevel = LogLevel.INFO
    metadata: Callable[[], Any] | None = None
    stored_message: Callable[[], str] | None = None
    """Where it is not the message itself."""
    stored_metadata: Any = None

    @property
    def expected(self) -> str:
        return (self.stored_message or self.message)()


def said(name: str, text: str, stored: str | None = None) -> AwkwardLine:
    return AwkwardLine(name, lambda: text, stored_message=None if stored is None else lambda: stored)


def with_metadata(name: str, metadata: Callable[[], Any], stored: Any) -> AwkwardLine:
    return AwkwardLine(name, lambda: name, metadata=metadata, stored_metadata=stored)


def large() -> str:
    return (LARGE * (50_000_000 // len(LARGE) + 1))[:50_000_000]


def binary() -> str:
    return bytes(range(256)).decode(errors="backslashreplace")


def cyclic() -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "a", "children": [{"name": "b"}]}
    metadata["children"][0]["parent"] = metadata
    return metadata


AWKWARD: list[AwkwardLine] = [
    said("empty", ""),
    said("blank", " \t "),
    AwkwardLine("large", large),
    said("NUL", "before\x00after", "before\u2400after"),
    said("only NUL", "\x00", "\u2400"),
    said("lone surrogates", "high \ud83d, low \ude00.", "high \ufffd, low \ufffd."),
    said("a surrogate pair of two halves", "\ud83d\ude00", "\ufffd\ufffd"),
    said("surrogateescape", os.fsdecode(b"caf\xe9"), "caf\ufffd"),
    said("NUL and what lies beyond ASCII", "\x00 Grüße 漢字 \U0001f600 \x00", "\u2400 Grüße 漢字 \U0001f600 \u2400"),
    said("ANSI", "\x1b[1;31mred\x1b[0m \x1b]8;;http://a.test\x1b\\link\x1b]8;;\x1b\\"),
    said("CRLF", "one\r\ntwo\r\n\r\nthree\rthree again\n"),
    said("every line end that Python knows", "a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g"),
    said("control characters", "".join(chr(code) for code in range(1, 32)) + "\x7f"),
    AwkwardLine("binary output", binary, stored_message=lambda: binary().replace("\x00", "\u2400")),
    said("JSON in JSON", '{"type":"job.finished","n":1,"job_id":"other"}\n{"type":"line"'),
    said("quotes and backslashes", "\\\" ' \\u0000 \\\\ %s {} $1 ; DROP TABLE jobs; --"),
    said("a byte order mark", "\ufeffbegin"),
    said("right to left", "\u202eabc\u202c \u0627\u0644\u0639\u0631\u0628\u064a\u0629"),
    said("noncharacters", "\uffff\ufdd0\U0010ffff"),
    *(AwkwardLine(f"level {level.name}", lambda: "grave or not", level) for level in LogLevel),
    with_metadata(
        "numbers",
        lambda: {"nan": math.nan, "inf": [math.inf, -math.inf], "large": 2**70, "small": -0.0, "tiny": 5e-324},
        {"nan": "NaN", "inf": ["Infinity", "-Infinity"], "large": str(2**70), "small": -0.0, "tiny": 5e-324},
    ),
    with_metadata(
        "dates",
        lambda: {
            "at": datetime(2026, 11, 22, 20, 33, 58, 1, tzinfo=timezone(timedelta(hours=2))),
            "day": date(2026, 11, 22),
            "first": datetime.min.replace(tzinfo=UTC),
        },
        {"at": "2026-11-22T18:33:58.000001Z", "day": "2026-11-22", "first": "0001-01-01T00:00:00.000000Z"},
    ),
    with_metadata(
        "bytes",
        lambda: {"text": "Grüße".encode(), "binary": b"\xff\x00", "buffer": bytearray(b"abc")},
        {"text": "Grüße", "binary": "base64:/wA=", "buffer": "abc"},
    ),
    with_metadata("cycles", cyclic, {"name": "a", "children": [{"name": "b", "parent": "<cycle>"}]}),
    with_metadata(
        "texts and keys",
        lambda: {"nul\x00": "\x00", "half \ud83d": ["\ude00"], 1: "number", (1, 2): "tuple", None: None},
        {"nul\u2400": "\u2400", "half \ufffd": ["\ufffd"], "1": "number", "(1, 2)": "tuple", "None": None},
    ),
    with_metadata("no mapping", lambda: [1, {"a": {2, 1}}], {"value": [1, {"a": [1, 2]}]}),
    with_metadata("empty metadata", dict, {}),
]
