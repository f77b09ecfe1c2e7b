"""A fragment of an answer that is JSON already."""

from __future__ import annotations


class Encoded:
    """An answer's data, or a part of it, that is written down already."""

    __slots__ = ("json",)

    def __init__(self, json: bytes) -> None:
        self.json = json
