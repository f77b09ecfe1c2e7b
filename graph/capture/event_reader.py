"""Capture events as NDJSON: lines of bytes become events, or the first bad one is named.

It knows nothing of HTTP. What a batch means to the database is the recorder's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from typing import Any

import orjson

from domain.logs import storable_label
from graph.capture.event_fields import END, READERS, Wrong
from graph.errors import BadLine
from graph.formats.json_values import BYTES_OF_VALUE, values_in
from jobtail.events import NumberedEvent

MAX_EVENTS = 200_000
"""Of one request. A job's events are stored by one statement, which has to end within its time."""

MOST_VALUES_OF_LINE = 100_000
MOST_VALUES = 1_000_000
"""That the metadata of a line, and of a request, may hold. A value takes up to a hundred times what it was sent as."""
EVENT_BYTES = 700
"""What an event takes beside its text."""
COPIES = 3
"""Of its text: as it is read, as it is encoded for the database, and as it waits to be sent there."""

_ROUNDED_FROM = 2.0**63
"""orjson reads a whole number beyond 64 bits as the nearest float."""
_MAX_DIGITS = 4_000
"""Python reads no longer numbers (sys.set_int_max_str_digits)."""
_BOM = b"\xef\xbb\xbf"


class EventReader:
    """Reads the events of one request, piece by piece, in the order of its lines."""

    def __init__(self) -> None:
        self.events: list[NumberedEvent] = []
        self._line = 0
        self._rest: list[bytes] = []
        self._unread_bytes = 0
        self.read_bytes = 0
        self._values = 0
        self._told = 0
        self._last_n: dict[str, int] = {}
        self._labels: dict[Any, str] = {}

    @property
    def unread_bytes(self) -> int:
        """How long the line is of which the end has not come yet."""
        return self._unread_bytes

    @property
    def job_ids(self) -> Collection[str]:
        """The jobs that the events are of, as they are stored."""
        return self._last_n.keys()

    def grown(self) -> int:
        """Tell how much more memory all that was read takes, since this was asked last, in bytes."""
        takes = COPIES * self.read_bytes + EVENT_BYTES * len(self.events) + BYTES_OF_VALUE * self._values
        more, self._told = takes - self._told, takes
        return more

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the body; a line may be spread over any number of them.

        Raises:
            BadLine: for the first line that is wrong.
        """
        self.read_bytes += len(piece)
        head, newline, tail = piece.rpartition(b"\n")
        if not newline:
            self._rest.append(tail)
            self._unread_bytes += len(tail)
            return
        whole = b"".join((*self._rest, head)) if self._rest else head
        self._rest, self._unread_bytes = [tail] if tail else [], len(tail)
        self._read(whole)

    def finish(self) -> tuple[NumberedEvent, ...]:
        """Read the last line, which may lack its end, and give all events.

        Raises:
            BadLine: if it is wrong.
        """
        last, self._rest, self._unread_bytes = b"".join(self._rest), [], 0
        self._read(last)
        return tuple(self.events)

    def _read(self, lines: bytes) -> None:
        number = self._line
        if not number and lines.startswith(_BOM):
            lines = lines[len(_BOM) :]
        try:
            for line in lines.split(b"\n"):
                number += 1
                if line:
                    self._add(line)
        except Wrong as wrong:
            raise BadLine(number, str(wrong)) from None
        if len(self.events) > MAX_EVENTS:
            raise BadLine(number, f"a request takes {MAX_EVENTS} events at most: send the rest in another")
        if self._values > MOST_VALUES:
            raise BadLine(
                number, f"a request takes {MOST_VALUES:,} values of metadata at most: send the rest in another"
            )
        self._line = number

    def _add(self, line: bytes) -> None:
        """Read one event. Requests have hundreds, so what is right passes with few calls, and what is not is looked at twice."""
        try:
            fields = orjson.loads(line) if len(line) <= MOST_VALUES_OF_LINE else _loads_large(line)
        except orjson.JSONDecodeError:
            if line.isspace():
                return
            fields = _lenient(line)
        if type(fields) is not dict:
            raise Wrong("it must be a JSON object")
        if (metadata := fields.get("metadata")) is not None and self._may_be_rounded(metadata):
            fields = _lenient(line)
        try:
            read = READERS[fields["type"]]
        except (KeyError, TypeError):
            raise Wrong.of("type", f"one of {', '.join(READERS)}", fields.get("type")) from None
        try:
            label = self._labels[fields["job_id"]]
        except (KeyError, TypeError):
            label = self._label(fields.get("job_id"))
        n = fields.get("n")
        if type(n) is not int or not 0 < n < END:
            raise Wrong.of("n", "a whole number from 1 on", n)
        if n <= self._last_n[label]:
            raise Wrong(f"n must rise within its job: {n} comes behind {self._last_n[label]}")
        self._last_n[label] = n
        self.events.append(NumberedEvent(n, read(label, fields)))

    def _may_be_rounded(self, metadata: Any) -> bool:
        """Look through all values, count them, and tell whether one may have been rounded."""
        values, count, may_be_rounded = [metadata], 0, False
        while values:
            value = values.pop()
            count += 1
            kind = type(value)
            if kind is dict:
                values.extend(value.values())
            elif kind is list:
                values.extend(value)
            elif kind is float and abs(value) >= _ROUNDED_FROM:
                may_be_rounded = True
        self._values += count
        return may_be_rounded

    def _label(self, job_id: Any) -> str:
        """Give the job's id as it is stored, so that two spellings of one job share its numbers."""
        if type(job_id) is not str or not job_id:
            raise Wrong.of("job_id", "a string that is not empty", job_id)
        label = self._labels[job_id] = storable_label(job_id)
        self._last_n.setdefault(label, 0)
        return label


def _loads_large(line: bytes) -> Any:
    """Read a line that is long enough to hold more values than it may."""
    if values_in(line, MOST_VALUES_OF_LINE) > MOST_VALUES_OF_LINE:
        raise Wrong(f"it holds more than {MOST_VALUES_OF_LINE:,} values")
    return orjson.loads(line)


def _lenient(line: bytes) -> Any:
    """Read what orjson refuses or rounds: lone surrogates, bytes that are no UTF-8, NaN, numbers of any size."""
    try:
        return json.loads(
            line.decode("utf-8", "replace"),
            strict=False,
            parse_constant=str,
            parse_int=_whole,
            parse_float=_float,
        )
    except json.JSONDecodeError as error:
        raise Wrong(f"it is no JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise Wrong("its JSON is nested too deep") from None


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MAX_DIGITS else digits


def _float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits
