"""Relay's arguments, and what a page tells of the list around it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.pages import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, Page, Window, joined, page_of, window
from tests.fakes import paged


def test_without_arguments_the_first_page_is_meant() -> None:
    assert window() == Window(limit=DEFAULT_PAGE_SIZE)
    assert window(default=7) == Window(limit=7)


def test_first_reads_forward_and_last_backward_between_the_cursors() -> None:
    assert window(first=3, after=1, before=9) == Window(limit=3, after=1, before=9)
    assert window(last=3, after=1, before=9) == Window(limit=3, after=1, before=9, backward=True)
    assert window(first=0).limit == 0
    assert window(last=MAX_PAGE_SIZE).limit == MAX_PAGE_SIZE


@pytest.mark.parametrize(
    ("first", "last"), [(1, 1), (-1, None), (None, -1), (MAX_PAGE_SIZE + 1, None), (None, MAX_PAGE_SIZE + 1)]
)
def test_sizes_that_cannot_be_are_refused(first: int | None, last: int | None) -> None:
    with pytest.raises(InvalidInput, match=r"first|last"):
        window(first=first, last=last)


def test_the_row_too_many_is_left_out_and_tells_that_there_is_more() -> None:
    assert page_of([1, 2, 3], Window(limit=2)) == Page([1, 2], has_next=True, has_previous=False)
    assert page_of([9, 8, 7], Window(limit=2, backward=True)) == Page([8, 9], has_next=False, has_previous=True)
    assert page_of([1, 2], Window(limit=2)) == Page([1, 2], has_next=False, has_previous=False)


@given(st.sets(st.integers(0, 40), min_size=1), st.data(), st.booleans(), st.booleans())
def test_a_page_is_right_of_every_list(items: set[int], data: st.DataObject, descending: bool, backward: bool) -> None:
    ordered = sorted(items, reverse=descending)
    after = data.draw(st.none() | st.sampled_from(ordered))
    before = data.draw(st.none() | st.sampled_from(ordered))
    asked = Window(limit=data.draw(st.integers(0, 45)), after=after, before=before, backward=backward)
    begin = ordered.index(after) + 1 if after is not None else 0
    end = ordered.index(before) if before is not None else len(ordered)
    inside = ordered[begin:end]
    cut = max(len(inside) - asked.limit, 0)
    expected = inside[cut:] if backward else inside[: asked.limit]
    page = paged(items, lambda item: item, asked, descending=descending)
    assert page.items == expected
    if begin <= end:
        assert page.has_next == (end < len(ordered) if backward else cut > 0)
        assert page.has_previous == (cut > 0 if backward else begin > 0)


@given(st.sets(st.integers(1, 40)), st.integers(1, 45), st.integers(0, 45))
def test_a_page_around_a_place_is_right_of_every_list(items: set[int], middle: int, size: int) -> None:
    behind = paged(items, lambda item: item, Window(limit=size, after=middle - 1))
    before = paged(items, lambda item: item, Window(limit=size, before=middle, backward=True))
    page = joined(before, behind, size)
    ordered = sorted(items)
    place = sum(item < middle for item in ordered)
    begin = max(min(place - size // 2, len(ordered) - size), 0)
    expected = ordered[begin : begin + size]
    assert page.items == expected
    if size:
        assert page.has_previous == (begin > 0)
        assert page.has_next == (begin + size < len(ordered))


def test_a_page_of_nothing_around_a_place_still_tells_what_is_there() -> None:
    behind: Page[int] = Page([], has_next=True, has_previous=True)
    before: Page[int] = Page([], has_next=True, has_previous=False)
    assert joined(before, behind, 0) == Page([], has_next=True, has_previous=False)
