"""A long message as people read it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.analysis.message_preview import preview
from domain.analysis.telling_line import exception_of, telling

FRAMES = "".join(f'  File "/srv/module_{n}.py", line {n}, in call\n    return call({n})\n' for n in range(60))
TRACEBACK = f"Traceback (most recent call last):\n{FRAMES}KeyError: 'price'"


@given(st.text(st.sampled_from("ab\n"), max_size=300), st.integers(0, 200))
def test_a_preview_leaves_out_what_it_says(message: str, length: int) -> None:
    found = preview(message, length)
    if len(message) <= length:
        assert (found.head, found.tail, found.hidden_lines, found.hidden_characters) == (message, None, 0, 0)
        return
    assert found.tail is not None
    assert len(found.head) + len(found.tail) <= length
    assert len(found.head) + found.hidden_characters + len(found.tail) == len(message)
    assert found.head.count("\n") + found.hidden_lines + found.tail.count("\n") == message.count("\n")
    assert message.startswith(found.head)
    assert message.endswith(found.tail)


def test_a_long_traceback_keeps_both_of_its_ends_at_whole_lines() -> None:
    found = preview(TRACEBACK, 500)
    assert found.head.startswith("Traceback (most recent call last):\n")
    assert found.head.endswith("\n")
    assert found.tail is not None
    assert found.tail.startswith(("  File", "    return"))
    assert found.tail.endswith("\nKeyError: 'price'")
    assert found.exception == "KeyError: 'price'"


def test_a_long_progress_bar_is_its_last_state() -> None:
    bar = "".join(f"\r{done:3d} % of the documents" for done in range(101))
    found = preview(bar, 200)
    assert (found.head, found.tail) == ("100 % of the documents", None)


def test_a_colour_is_not_cut_in_two() -> None:
    message = "a" * 90 + "\x1b[38;5;196mred" + "b" * 200 + "\x1b[38;5;196mred" + "c" * 90
    for length in range(160, 240):
        found = preview(message, length)
        assert found.tail is not None
        assert "\x1b" not in found.head.replace("\x1b[38;5;196m", "")
        assert not found.tail.startswith(tuple("[38;5196m"))


def test_an_exception_is_said_by_its_telling_line() -> None:
    chain = f"{TRACEBACK}\n\nThe above exception was the direct cause of the following exception:\n\n{TRACEBACK}s\nof order 7"
    group = (
        '  + Exception Group Traceback (most recent call last):\n  |   File "a.py", line 1\n'
        "  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)\n"
        "  +-+---------------- 1 ----------------\n    | Traceback (most recent call last):\n"
        '    |   File "b.py", line 2\n    | ValueError: no price\n    +------------------------------------'
    )
    assert exception_of(chain) == "KeyError: 'price's"
    assert exception_of(group) == (
        "ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception): ValueError: no price"
    )
    assert exception_of("KeyError: 'price'") is None
    assert telling("OperationalError: no such table\n(Background on this error at: https://x)") == (
        "OperationalError: no such table"
    )
