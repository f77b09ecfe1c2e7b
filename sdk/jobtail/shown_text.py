"""The text that a terminal shows of what a program wrote: the last state of a line that was written over, nothing raw.

The service searches in the same text, and the page shows it: tests/terminal_texts.json holds all of them to one rule.
"""

from __future__ import annotations

import re

_UNSEEN = (
    r"\x01-\x08\x0b-\x1f\x7f-\x9f"  # they steer
    r"\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"  # invisible, and some turn the text around
)
UNSEEN = re.compile(f"[{_UNSEEN}]")
TOKENS = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x80-\x9f\n]*(?:\x07|\x1b\\|\x9c)"  # a title, a link
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x80-\x9f\n]*(?:\x1b\\|\x9c)"
    r"|(?:\x1b\[|\x9b)(?P<parameters>[0-?]*[ -/]*)(?P<final>[@-~]?)"  # colours, the cursor; a cut one has no final byte
    r"|\x1b[ -/]*[0-~]?"
    rf"|\r\n|[\n\t{_UNSEEN}]"
)
MOVES = frozenset("CDGJK")
LINE_ENDS = frozenset({"\n", "\r\n", "\x0b", "\x0c", "\x85"})
MOST_COLUMNS = 1_000
"""A cursor that is sent to the right stops here: a terminal ends somewhere, too."""
TAB = 8
MOST_WORK = 100_000_000
"""Moves of the cursor times the length of the text. Beyond it a line is read from its last return on, its other moves are
left out: a text that is made to be slow is not."""
RESET = "\x1b[0m"
MOST_PENS = 16
"""So many sequences choose the look of a character at most: the last ones."""


def shown(text: str) -> str:
    """Return the text as a terminal shows it, without its colours. Lines end in a line feed."""
    return text if _is_plain(text) else _played(text, has_colour=False)


def coloured(text: str) -> str:
    """Return the same with its colours, each line ending with none."""
    return text if _is_plain(text) else _played(text, has_colour=True)


def _is_plain(text: str) -> bool:
    return text.isprintable() or UNSEEN.search(text) is None


def _played(text: str, *, has_colour: bool) -> str:
    tokens = list(TOKENS.finditer(text))
    screen = _Screen(may_move=sum(map(_is_move, tokens)) * len(text) <= MOST_WORK, has_colour=has_colour)
    at = 0
    for token in tokens:
        screen.write(text[at : token.start()])
        screen.obey(token)
        at = token.end()
    screen.write(text[at:])
    return screen.finished()


def _is_move(token: re.Match[str]) -> bool:
    if token[0] in {"\r", "\b"}:
        return True
    return token["final"] in MOVES and not token["parameters"].strip("0123456789")


class _Screen:
    """Lines that are done, and the one that is written to: as it came, and in cells once the cursor was moved."""

    def __init__(self, *, may_move: bool, has_colour: bool) -> None:
        self._may_move = may_move
        self._has_colour = has_colour
        self._done: list[str] = []
        self._line: list[tuple[str, str]] = []
        """Texts with their pens: the sequences that chose their colours."""
        self._cells: list[tuple[str, str]] | None = None
        self._is_changed = False
        """Whether anything was written or erased since the cursor was moved."""
        self._is_returned = False
        self._column = 0
        self._pens: list[str] = []
        self._pen = ""

    def write(self, text: str) -> None:
        if not text:
            return
        if self._is_returned:
            self._line, self._is_returned = [], False
        if self._cells is None:
            self._line.append((text, self._pen))
            return
        self._is_changed = True
        self._pad(self._cells)
        end = self._column + len(text)
        self._cells[self._column : end] = [(character, self._pen) for character in text]
        self._column = end

    def obey(self, token: re.Match[str]) -> None:
        if token["final"] == "m":
            self._draw(token)
        elif token[0] in LINE_ENDS:
            self._end_line("\n")
        elif token[0] == "\t":
            self._tab()
            self._is_changed |= self._cells is not None
        elif not _is_move(token):
            return
        elif self._may_move:
            self._move(token)
        elif token[0] == "\r":
            self._is_returned = True

    def finished(self) -> str:
        self._end_line("")
        return "".join(self._done)

    def _draw(self, token: re.Match[str]) -> None:
        parameters = token["parameters"]
        if self._has_colour and not parameters.strip("0123456789;:"):
            is_reset = not parameters.strip("0")
            self._pens = [] if is_reset else [*self._pens[1 - MOST_PENS :], f"\x1b[{parameters}m"]
            self._pen = "".join(self._pens)

    def _move(self, token: re.Match[str]) -> None:
        cells = self._play()
        digits = (token["parameters"] or "").lstrip("0")
        at, count = self._column, min(int(digits[:5] or 0), MOST_COLUMNS)
        match token[0] if token["final"] is None else token["final"]:
            case "\r":
                self._column = 0
            case "\b":
                self._column = max(at - 1, 0)
            case "C":
                self._column = max(at, min(at + (count or 1), MOST_COLUMNS))
            case "D":
                self._column = max(at - (count or 1), 0)
            case "G":
                self._column = (count or 1) - 1
            case "K":
                self._erase(cells, count)
            case "J" if count == 0:
                self._erase(cells, 0)

    def _play(self) -> list[tuple[str, str]]:
        """Take the line into cells, tabs as the blanks that they are."""
        if self._cells is None:
            self._cells, self._column = [], 0
            for text, pen in self._line:
                for character in text:
                    if character == "\t":
                        self._tab()
                    else:
                        self._pad(self._cells)
                        self._cells.append((character, pen))
                        self._column += 1
        return self._cells

    def _erase(self, cells: list[tuple[str, str]], what: int) -> None:
        """Erase from the cursor on (0), up to the cursor (1), or the whole line (2)."""
        if what == 1:
            count = min(self._column + 1, len(cells))
            cells[:count] = [(" ", "")] * count
        elif what in {0, 2}:
            del cells[0 if what else self._column :]
        self._is_changed = True

    def _tab(self) -> None:
        if self._cells is None:
            self.write("\t")
        else:
            self._column = (self._column // TAB + 1) * TAB

    def _pad(self, cells: list[tuple[str, str]]) -> None:
        cells.extend([(" ", "")] * (self._column - len(cells)))

    def _end_line(self, end: str) -> None:
        texts = self._cells if self._cells is not None and self._is_changed else self._line
        if self._has_colour:
            self._done.append(_painted(texts))
        else:
            self._done.extend(text for text, _ in texts)
        self._done.append(end)
        self._line, self._cells, self._is_changed, self._is_returned = [], None, False, False


def _painted(texts: list[tuple[str, str]]) -> str:
    painted, present = [], ""
    for text, pen in texts:
        if pen != present:
            painted.append(RESET if present else "")
            painted.append(pen)
            present = pen
        painted.append(text)
    return "".join(painted) + (RESET if present else "")
