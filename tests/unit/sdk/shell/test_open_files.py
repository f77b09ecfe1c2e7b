"""Two descriptors are one open file where what is written to them stands in one order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jobtail.shell.open_files import are_one

WRITE = os.O_WRONLY | os.O_CREAT


@pytest.mark.parametrize(("flags", "expected"), [(WRITE, False), (WRITE | os.O_APPEND, True)])
def test_a_file_that_was_opened_twice_is_one_only_where_both_append(tmp_path: Path, flags: int, expected: bool) -> None:
    one, other = os.open(tmp_path / "log", flags), os.open(tmp_path / "log", flags)
    os.write(one, b"before")
    assert are_one(one, other) is expected
    assert are_one(one, os.dup(one)) is True
    assert (os.lseek(one, 0, os.SEEK_CUR), (tmp_path / "log").read_bytes()) == (6, b"before")


def test_two_files_are_two_and_a_pipe_is_one(tmp_path: Path) -> None:
    one, other = os.open(tmp_path / "a", WRITE), os.open(tmp_path / "b", WRITE)
    reading, writing = os.pipe()
    assert not are_one(one, other)
    assert not are_one(one, writing)
    assert are_one(writing, os.dup(writing))
    assert not are_one(writing, os.pipe()[1])
    os.close(reading)
