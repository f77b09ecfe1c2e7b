"""Nothing that the command wrote is dropped, and nobody is waited for without end."""

from __future__ import annotations

import os
import pty
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from jobtail.shell import pumps
from jobtail.shell.pumps import Pump, pump
from tests.shell import wait_until

FULL = 1 << 16
"""What a pipe holds."""


class Ended:
    """A command that has ended."""

    is_hurried = False
    ending = object()


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pumps, "GRACE_S", 0.0)


@pytest.fixture
def target() -> Iterator[tuple[int, int]]:
    """A pipe that is full, so that who writes has to wait."""
    reading, writing = os.pipe()
    os.write(writing, b"-" * FULL)
    yield reading, writing
    os.close(reading)


@contextmanager
def copying(source: int, writing: int, command: Ended) -> Iterator[list[bytes]]:
    heard: list[bytes] = []
    _, wake = os.pipe()
    copy = Thread(target=lambda: pump([Pump(source, writing, heard.append)], None, [], wake, command))
    copy.start()
    try:
        yield heard
    finally:
        copy.join()
        os.close(wake)
        os.close(writing)


def read_to_end(reading: int) -> bytes:
    said = b""
    while data := os.read(reading, FULL):
        said += data
    return said


def test_what_a_pipe_held_at_the_end_of_the_command_is_copied_however_slow_its_reader(target: tuple[int, int]) -> None:
    reading, writing = target
    source, inner = os.pipe()
    os.write(inner, b"x" * FULL)  # held open, as by a process that was left behind
    said: list[bytes] = []
    reader = Thread(target=lambda: said.append(read_to_end(reading)))
    with copying(source, writing, Ended()) as heard:
        wait_until(lambda: heard)
        reader.start()
    reader.join()
    os.close(inner)
    assert said[0].count(b"x") == len(b"".join(heard)) == FULL


def test_what_a_terminal_held_at_the_end_of_the_command_is_copied_however_slow_its_reader(
    target: tuple[int, int],
) -> None:
    reading, writing = target
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(slave, False)
    written = 0
    try:
        while True:
            written += os.write(slave, b"x" * 512)
    except BlockingIOError:
        pass
    said: list[bytes] = []
    reader = Thread(target=lambda: said.append(read_to_end(reading)))
    with copying(master, writing, Ended()):
        reader.start()
    reader.join()
    os.close(slave)
    assert written > 4096
    assert said[0].count(b"x") == written


def test_a_process_that_was_left_behind_and_does_not_stop_writing_is_not_waited_for() -> None:
    source, inner = os.pipe()
    os.write(inner, b"x" * FULL)
    os.set_blocking(inner, False)
    nowhere = os.open(os.devnull, os.O_WRONLY)

    def go_on(_: bytes) -> None:
        os.write(inner, b"y" * 4096)

    pump([Pump(source, nowhere, go_on)], None, [], os.pipe()[0], Ended())
    os.close(inner)
    os.close(nowhere)


def test_a_signal_after_the_end_of_the_command_ends_the_waiting_for_a_reader(target: tuple[int, int]) -> None:
    _, writing = target
    source, inner = os.pipe()
    os.write(inner, b"x" * FULL)
    command = Ended()
    with copying(source, writing, command) as heard:
        wait_until(lambda: heard)
        command.is_hurried = True
    os.close(inner)
