"""Secrets in settings that come line by line: blocks of YAML, and a name on one line with its value on the next."""

from __future__ import annotations

import re

from jobtail.masking.secret_names import is_secret_under, names_a_secret

MASK = "***"
LONGEST_BLOCK = 200
"""Lines of a block that are masked at most."""

_BLOCK_STARTS = ("|", ">", "|-", ">-", "|+", ">+")
_BLOCK = re.compile(r"([ \t]*+)(?:- )?[\"']?([A-Za-z0-9_.\-]{2,64})[\"']?:[ \t]*+[|>][+-]?")
_NAME = re.compile(
    r"""[ \t]*+(?:- |\{)?[ \t]*+["']?(?:name|key)["']?:[ \t]*+["']?([A-Za-z0-9_.\-]{2,64})["']?,?[ \t]*+"""
)
_VALUE = re.compile(r"""([ \t]*+["']?value["']?:[ \t]*+["']?)([^"'\s][^"']*?)(["']?,?[ \t]*+)""")


class SettingsStream:
    """Lines of one stream."""

    __slots__ = ("_indent", "_is_watching", "_lines", "_name")

    def __init__(self) -> None:
        self._is_watching = False
        self._indent: int | None = None
        """Of the block's name, while there is a block."""
        self._lines = 0
        self._name: str | None = None
        """The name of a secret whose value the next line may have."""

    def mask(self, line: str) -> str:
        """Give the line, or what is shown in its place."""
        if self._is_watching:
            line = self._watched(line)
        if line.endswith(_BLOCK_STARTS) and (found := _BLOCK.fullmatch(line)) and names_a_secret(found[2]):
            self._indent, self._lines, self._is_watching = len(found[1]), 0, True
        elif ("name" in line or "key" in line) and (found := _NAME.fullmatch(line)) and names_a_secret(found[1]):
            self._name, self._is_watching = found[1], True
        return line

    def _watched(self, line: str) -> str:
        name, self._name = self._name, None
        if name is not None:
            self._is_watching = self._indent is not None
            found = _VALUE.fullmatch(line)
            return f"{found[1]}{MASK}{found[3]}" if found and is_secret_under(name, found[2]) else line
        stripped = line.lstrip()
        indent = len(line) - len(stripped)
        self._lines += 1
        if stripped and (self._indent is None or indent <= self._indent or self._lines > LONGEST_BLOCK):
            self._indent, self._is_watching = None, False
            return line
        return line[:indent] + MASK if stripped else line
