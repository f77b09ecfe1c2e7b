"""The pipe to the capture hands on everything in order, or says how much it could not."""

from __future__ import annotations

import os
from threading import Thread

from jobtail.shell.capture_pipe import CapturePipe, End, Loss, Piece, received

Heard = list[Piece | Loss | End]


def ends() -> tuple[int, int]:
    return os.pipe()


def heard_of(source: int, into: Heard) -> Thread:
    def read() -> None:
        with open(source, "rb") as side:
            into.extend(received(side))

    reader = Thread(target=read)
    reader.start()
    return reader


def drained(pipe: CapturePipe) -> None:
    while pipe.interest is not None:
        pipe.move()


def test_pieces_come_in_their_order_with_their_streams_and_times() -> None:
    source, target = ends()
    pipe, heard = CapturePipe(target), Heard()
    pieces = [(["stdout", "stderr", "terminal", "output"][number % 4], b"%d" % number * 9000) for number in range(400)]
    for stream, data in pieces:
        pipe.send(stream, data)
    pipe.end("exit status 3")
    reader = heard_of(source, heard)
    drained(pipe)
    os.close(target)
    reader.join()
    assert [(each.stream, each.data) for each in heard if isinstance(each, Piece)] == pieces
    times = [each.at for each in heard if isinstance(each, Piece)]
    assert times == sorted(times)
    assert heard[-1] == End("exit status 3")


def test_who_sends_never_waits_and_what_finds_no_room_is_counted() -> None:
    source, target = ends()
    pipe, heard = CapturePipe(target, most_bytes=100_000), Heard()
    line = b"x" * 999 + b"\n"
    for _ in range(5000):
        pipe.send("stdout", line)
    reader = heard_of(source, heard)
    drained(pipe)
    pipe.send("stdout", b"later\n")
    pipe.end(None)
    drained(pipe)
    os.close(target)
    reader.join()
    pieces = [each for each in heard if isinstance(each, Piece)]
    (loss,) = [each for each in heard if isinstance(each, Loss)]
    assert len(pieces) - 1 + loss.line_ends == 5000
    assert loss.byte_count == loss.line_ends * 1000
    assert pieces[-1].data == b"later\n"
    assert (heard[-3], heard[-2], heard[-1]) == (loss, pieces[-1], End(None))


def test_a_hurry_gives_up_what_waits_but_not_the_end() -> None:
    source, target = ends()
    pipe, heard = CapturePipe(target), Heard()
    for _ in range(300):
        pipe.send("stderr", b"y" * 9_999 + b"\n")
    pipe.end("killed by SIGINT")
    pipe.hurry()
    reader = heard_of(source, heard)
    drained(pipe)
    os.close(target)
    reader.join()
    kept = sum(isinstance(each, Piece) for each in heard)
    assert 0 < kept < 300
    assert heard[-1] == End("killed by SIGINT")
    assert isinstance(heard[-2], Loss)
    assert (heard[-2].stream, heard[-2].line_ends) == ("stderr", 300 - kept)


def test_a_capture_that_has_gone_holds_nobody_up() -> None:
    source, target = ends()
    pipe = CapturePipe(target)
    os.close(source)
    for _ in range(3):
        pipe.send("stdout", b"x" * 100_000)
    assert pipe.is_broken
    assert pipe.interest is None
    os.close(target)
