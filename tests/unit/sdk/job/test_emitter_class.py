"""The wrapper is used as its emitter is, by statements, operators and the standard library."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import weakref
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Sized
from contextlib import AbstractAsyncContextManager, AbstractContextManager, nullcontext
from typing import Any, Self
from unittest.mock import MagicMock

import pytest

from jobtail import Event, Line, LogCapturingEmitter


class Emitter:
    """A plain one."""

    def emit_info(self, message: str) -> str:
        return message


class Rich(Emitter):
    """An emitter that can be used as anything."""

    def __init__(self) -> None:
        self.items = [1, 2, 3]

    def __call__(self, message: str) -> str:
        return message

    def __iter__(self) -> Iterator[int]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, at: int) -> int:
        return self.items[at]

    def __contains__(self, item: object) -> bool:
        return item in self.items

    def __add__(self, other: object) -> str:
        return f"{type(other).__name__} added"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rich) and self.items == other.items

    def __hash__(self) -> int:
        return 17

    def __str__(self) -> str:
        return "a rich one"


class ListWriter:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def capture(self, event: Event) -> None:
        self.events.append(event)

    def report_fault(self, error: Exception) -> None:
        raise error


def wrapped(base: Any, writer: ListWriter | None = None) -> Any:
    return LogCapturingEmitter(base, writer or ListWriter(), "JB_1")


USES: dict[str, Callable[[Any], Any]] = {
    "called": lambda emitter: emitter("x"),
    "iterated": list,
    "counted": len,
    "indexed": lambda emitter: emitter[1],
    "searched": lambda emitter: (2 in emitter, 4 in emitter),
    "added": lambda emitter: emitter + emitter,
    "compared": lambda emitter: (emitter == Rich(), Rich() == emitter, emitter != Rich()),
    "hashed": lambda emitter: (hash(emitter), Rich() in {emitter: 1}, emitter in {Rich(): 1, None: 2}),
    "shown": lambda emitter: (str(emitter), f"{emitter}"),
    "taken for true": bool,
    "asked whether it is called": callable,
    "pickled": lambda emitter: pickle.loads(pickle.dumps(emitter)) == Rich(),
    "copied": lambda emitter: copy.copy(emitter).items is emitter.items,
    "copied to the bottom": lambda emitter: copy.deepcopy(emitter).items is emitter.items,
    "weakly held": lambda emitter: weakref.ref(emitter)() is emitter,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_an_emitter_is_used_as_without_its_wrapper(use: Callable[[Any], Any]) -> None:
    assert use(wrapped(Rich())) == use(Rich())


BASES: dict[str, Any] = {
    "plain": Emitter(),
    "rich": Rich(),
    "mock": MagicMock(),
    "dict": {},
    "context": nullcontext(),
    "class": Emitter,
}
KINDS = [AbstractContextManager, AbstractAsyncContextManager, Iterable, Sized, Callable, Container, Hashable]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
def test_a_wrapper_is_of_no_more_and_no_fewer_kinds_than_its_emitter(base: Any, kind: Any) -> None:
    assert isinstance(wrapped(base), kind) == isinstance(base, kind)


def test_a_copy_of_a_captured_emitter_is_captured_too() -> None:
    writer = ListWriter()
    emitter = wrapped(Rich(), writer)
    copy.copy(emitter).emit_info("one")
    copy.deepcopy(emitter).emit_info("two")
    pickle.loads(pickle.dumps(emitter)).emit_info("of another process")
    assert [event.message for event in writer.events if isinstance(event, Line)] == ["one", "two"]


def test_an_emitter_that_is_a_dataclass_can_be_replaced_and_matched() -> None:
    @dataclasses.dataclass
    class Own:
        name: str

    emitter = wrapped(Own("x"))
    assert dataclasses.asdict(emitter) == {"name": "x"}
    assert emitter == Own("x")
    match emitter:
        case Own(name):
            assert name == "x"


def test_an_iterator_that_gives_itself_gives_the_wrapper() -> None:
    class Own:
        def __iter__(self) -> Self:
            return self

        def __next__(self) -> int:
            return 1

    emitter = wrapped(Own())
    assert iter(emitter) is emitter
    assert next(emitter) == 1
