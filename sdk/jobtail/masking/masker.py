"""Secrets, replaced before a line leaves the process: registered ones in all their forms, and those that show themselves."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from jobtail.events import Event, JobFinished, JobProgressed, JobStarted, Line, TaskChanged
from jobtail.masking.arguments import masked_items, secret_value_of
from jobtail.masking.coloured_text import COLOUR_START, PlainText
from jobtail.masking.encoded_forms import SHORTEST, disguises
from jobtail.masking.multi_search import MultiSearch, Span
from jobtail.masking.pem import MASK, KeyStream
from jobtail.masking.secret_names import is_secret_under, names_a_secret
from jobtail.masking.settings_stream import SettingsStream
from jobtail.masking.token_patterns import NOTHING, find_secrets

Secret = TypeVar("Secret", str, bytes)

log = logging.getLogger("jobtail")

_TEXTS: dict[type, tuple[str, ...]] = {
    Line: ("message",),
    JobStarted: ("handler_name", "source"),
    TaskChanged: ("name", "result"),
    JobFinished: ("error", "result"),
    JobProgressed: (),
}
"""What is searched. The ids of jobs, executions and schedules are keys and stay."""
_LABELS: dict[type, tuple[str, ...]] = {Line: ("stage", "task_id"), TaskChanged: ("stage", "task_id")}
"""What is searched once, since many events have the same."""
MOST_LABELS = 10_000
WINDOW = 1 << 20
"""Characters of a text whose secrets are gathered at a time."""


class Masker:
    """Knows secrets, and shows none. It has no lock: threads may add and mask at once, and a fork disturbs nothing."""

    __slots__ = ("_has_needles", "_has_warned", "_labels", "_needles", "count")

    def __init__(self) -> None:
        self._needles = MultiSearch()
        self._has_needles = False
        self._labels: dict[str, str] = {}
        self._has_warned = False
        self.count = 0
        """How many were replaced."""

    def __repr__(self) -> str:
        return f"<Masker that replaced {self.count}>"

    def add(self, value: str | bytes) -> None:
        """Register a secret. One of fewer than 4 characters is not taken: it would turn up in any text."""
        if not isinstance(value, str | bytes) or len(value.strip()) < SHORTEST:
            if not self._has_warned:
                self._has_warned = True
                log.warning("a secret is not masked: only texts and bytes of %s characters and more are", SHORTEST)
            return
        self._needles.add(disguises(value))
        self._has_needles = True
        self._labels = {}  # another one: whoever searches now still writes into the former

    def mask(self, text: str) -> str:
        """Replace each secret; the same text if there is none."""
        ways = find_secrets(text)
        if ways is NOTHING and not self._has_needles:
            return text
        masked = self._replaced(text, [*ways, *self._other_ways(text)])
        while self._needles.has_stars and masked is not text:
            # A registered value with stars in it may come about by the replacement.
            text, masked = masked, self._replaced(masked, [self._needles_of(masked)])
        return masked

    def _other_ways(self, text: str) -> Iterator[Iterator[Span]]:
        if self._has_needles:
            yield self._needles_of(text)
        if COLOUR_START in text:
            plain = PlainText(text)
            for way in (*find_secrets(plain.text), self._needles_of(plain.text)):
                yield map(plain.original, way)

    def _needles_of(self, text: str) -> Iterator[Span]:
        return iter(sorted(self._needles.find(text)))

    def event(self, event: Event) -> Event:
        """Mask all texts of an event but its keys; the same event if there is nothing to mask."""
        changes: dict[str, Any] = {}
        for name in _TEXTS[type(event)]:
            text = getattr(event, name)
            if text and (masked := self.mask(text)) is not text:
                changes[name] = masked
        for name in _LABELS.get(type(event), ()):
            label = getattr(event, name)
            if label and (masked := self._label(label)) is not label:
                changes[name] = masked
        metadata = getattr(event, "metadata", None)
        if metadata and (masked_metadata := self._value(metadata)) is not metadata:
            changes["metadata"] = masked_metadata
        return replace(event, **changes) if changes else event

    def stream(self) -> StreamMasker:
        """Make a masker for the lines of one stream."""
        return StreamMasker(self)

    def _label(self, label: str) -> str:
        """Mask a label; the same one if there is nothing to mask."""
        labels = self._labels
        masked = labels.get(label)
        if masked is None:
            if len(labels) >= MOST_LABELS:
                self._labels = labels = {}
            masked = labels[label] = self.mask(label)
        elif masked != label:
            self.count += 1
        return label if masked == label else masked

    def _value(self, value: Any) -> Any:
        """Mask a JSON value; the same one if there is nothing to mask."""
        if isinstance(value, str):
            return self.mask(value)
        if isinstance(value, dict):
            return self._object(value)
        if isinstance(value, list):
            items = [self._value(item) for item in value]
            for place, masked in masked_items(value):
                items[place] = masked
                self.count += 1
            return value if _are_same(items, value) else items
        return value

    def _object(self, items: dict[str, Any]) -> dict[str, Any]:
        names = [self.mask(name) for name in items]
        values = [self._named(name, value) for name, value in items.items()]
        if (key := secret_value_of(items)) is not None:
            values[[*items].index(key)] = MASK
            self.count += 1
        if _are_same(values, items.values()) and _are_same(names, items):
            return items
        masked: dict[str, Any] = {}
        for name, value in zip(names, values, strict=True):
            masked[_unused(name, masked)] = value
        return masked

    def _named(self, name: str, value: Any) -> Any:
        if names_a_secret(name) and is_secret_under(name, value):
            self.count += 1
            return MASK
        return self._value(value)

    def _replaced(self, text: str, ways: list[Iterator[Span]]) -> str:
        """Replace what is found, window by window, so that a long text full of secrets costs no more memory than itself."""
        done = 0
        written: list[str] = []
        for spans in _by_windows(ways, len(text)):
            parts: list[str] = []
            for start, end in _merged(spans):
                if start >= done:
                    parts += [text[done:start], MASK]
                    self.count += 1
                done = max(done, end)
            written.append("".join(parts))
        return "".join([*written, text[done:]]) if done else text


class StreamMasker:
    """Masks the lines of one stream, private keys over several lines among them."""

    __slots__ = ("_keys", "_masker", "_settings")

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._keys = KeyStream()
        self._settings = SettingsStream()

    def key_masked(self, line: str) -> str:
        """Mask what only this stream can know: a line of a private key, or of settings. The rest is left to the writer's masker."""
        masked = self._settings.mask(self._keys.mask(line))
        if masked is not line:
            self._masker.count += 1
        return masked

    def mask(self, line: str) -> str:
        """Mask all secrets of the next line."""
        return self._masker.mask(self.key_masked(line))


masker = Masker()
"""The process's own."""


def mask(value: Secret) -> Secret:
    """Register a secret, to be masked in all that this process captures. Gives it back."""
    masker.add(value)
    return value


def _by_windows(ways: list[Iterator[Span]], length: int) -> Iterator[list[Span]]:
    """Give the places that begin in each window of a text, if there are any."""
    heads = [next(way, None) for way in ways]
    for end in range(WINDOW, length + WINDOW, WINDOW):
        spans: list[Span] = []
        for place, way in enumerate(ways):
            head = heads[place]
            while head is not None and head[0] < end:
                spans.append(head)
                head = next(way, None)
            heads[place] = head
        if spans:
            yield spans


def _merged(spans: list[Span]) -> Iterable[Span]:
    spans.sort()
    start, end = spans[0]
    for next_start, next_end in spans[1:]:
        if next_start < end:
            end = max(end, next_end)
        else:
            yield start, end
            start, end = next_start, next_end
    yield start, end


def _are_same(new: Iterable[Any], old: Iterable[Any]) -> bool:
    return all(one is other for one, other in zip(new, old, strict=True))


def _unused(name: str, taken: dict[str, Any]) -> str:
    """Two names may be one after masking; what stands under both is kept."""
    unused, number = name, 2
    while unused in taken:
        unused, number = f"{name} ({number})", number + 1
    return unused
