"""A measured figure beside its raw limit, as a row of a table and as bars of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

BAR_WIDTH, ROW_HEIGHT, LABEL_WIDTH, MARGIN = 380, 46, 330, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    what: str
    ours: float
    raw: float | None
    unit: str
    """`rows/s` and `req/s` are better when larger, all others when smaller."""

    @property
    def ratio(self) -> float | None:
        return None if self.raw is None else self.ours / self.raw

    @property
    def shown(self) -> tuple[str, str, str, str]:
        raw = "" if self.raw is None else _number(self.raw)
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return self.what, f"{_number(self.ours)} {self.unit}", raw, ratio


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def table(figures: Sequence[Figure]) -> str:
    rows = [("what", "Jobtail", "raw limit", "ratio"), *(figure.shown for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        f"{row[0]:<{widths[0]}}  " + "  ".join(f"{row[column]:>{widths[column]}}" for column in (1, 2, 3))
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def picture(figures: Sequence[Figure], title: str) -> str:
    """Draw each figure and its raw limit as two bars, as SVG."""
    height = MARGIN * 3 + 30 + ROW_HEIGHT * len(figures)
    width = LABEL_WIDTH + BAR_WIDTH + 190
    body = [_row(figure, MARGIN * 2 + 30 + index * ROW_HEIGHT) for index, figure in enumerate(figures)]
    legend = (
        f'<rect x="{MARGIN}" y="{MARGIN + 20}" width="10" height="10" fill="#2f6fde"/>'
        f'<text x="{MARGIN + 16}" y="{MARGIN + 29}">Jobtail</text>'
        f'<rect x="{MARGIN + 80}" y="{MARGIN + 20}" width="10" height="10" fill="#9aa5b1"/>'
        f'<text x="{MARGIN + 96}" y="{MARGIN + 29}">raw limit in the same run</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#1f2933">'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
        f'<text x="{MARGIN}" y="{MARGIN + 8}" font-size="14" font-weight="600">{escape(title)}</text>'
        f"{legend}{''.join(body)}</svg>\n"
    )


def _row(figure: Figure, y: int) -> str:
    largest = max(figure.ours, figure.raw or 0)
    left = LABEL_WIDTH + MARGIN
    text, ours, raw, ratio = figure.shown
    bars = (
        f'<text x="{MARGIN}" y="{y + 18}">{escape(text)}</text>'
        f'<rect x="{left}" y="{y}" width="{BAR_WIDTH * figure.ours / largest:.0f}" height="13" fill="#2f6fde"/>'
        f'<text x="{left + BAR_WIDTH + 8}" y="{y + 11}">{escape(ours)}{f" (x {ratio})" if ratio else ""}</text>'
    )
    if figure.raw is None:
        return bars
    return bars + (
        f'<rect x="{left}" y="{y + 16}" width="{BAR_WIDTH * figure.raw / largest:.0f}" height="13" fill="#9aa5b1"/>'
        f'<text x="{left + BAR_WIDTH + 8}" y="{y + 27}" fill="#52606d">{escape(raw)} {escape(figure.unit)}</text>'
    )
