"""jobtail-server prune: delete what is too old, or tell what that is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from domain.errors import InvalidInput, Unavailable
from domain.retention import Pruned, Retention, read_retention
from graph.access.gate import now
from graph.commands.running import run, say_database
from graph.settings import Settings
from jobtail.events import LogLevel


def prune(
    older_than: Annotated[str, typer.Option(help="Delete lines that were stored longer ago, such as 90d, 12h or 2w.")],
    level: Annotated[
        list[str] | None,
        typer.Option(help="A shorter time for a level and those below it, such as debug=7d; give it once or more."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Delete lines that are too old. Jobs, stages, tasks and all counts stay."""
    run(lambda settings: _prune(settings, older_than, level or [], is_dry=dry_run))


async def _prune(settings: Settings, older_than: str, levels: Sequence[str], *, is_dry: bool) -> None:
    from graph.databases import open_pruner  # noqa: PLC0415 - `prune --help` needs none of it

    retention, at = read_retention(older_than, dict(map(_level, levels))), now()
    async with open_pruner(settings) as pruner:
        say_database(settings)
        pruned = await pruner.prune(retention, at, is_dry=is_dry)
    if pruned is None:
        raise Unavailable("another process is pruning this database: try again when it is done")
    for line in said(retention, at, pruned, is_dry=is_dry):
        typer.echo(line)


def _level(option: str) -> tuple[str, str]:
    name, sign, duration = option.partition("=")
    if not sign:
        raise InvalidInput(f"--level {option!r} must be a level and a duration, such as debug=7d")
    return name, duration


def said(retention: Retention, at: datetime, pruned: Pruned, *, is_dry: bool) -> list[str]:
    """Say what went, a line each."""
    would = "would be " if is_dry else ""
    lines = [f"{_levels(span.levels)} stored before {span.before:%Y-%m-%dT%H:%M:%SZ}" for span in retention.spans(at)]
    for week in pruned.weeks:
        counted = "lines not counted" if week.lines is None else f"{week.lines:,} lines"
        lines.append(f"partition {week.name} {would}dropped: {counted}, {_size(week.size)} on disk")
    by_level = ", ".join(f"{count:,} {level.name.lower()}" for level, count in sorted(pruned.lines.items()))
    total = sum(pruned.lines.values())
    lines.append(f"{total:,} lines {would}deleted" + (f": {by_level}; {_size(pruned.size)}" if total else ""))
    if pruned.in_use:
        lines.append(f"partition {pruned.in_use} is in use: it and what is newer was left; run this again")
    return lines


def _levels(levels: frozenset[LogLevel]) -> str:
    highest = max(levels)
    return "all lines" if highest is max(LogLevel) else f"{highest.name.lower()} and below"


def _size(size: int) -> str:
    """Write a number of bytes for people."""
    units = ("bytes", "KiB", "MiB", "GiB", "TiB")
    power = min(max(size.bit_length() - 1, 0) // 10, len(units) - 1)
    return f"{size / 1024**power:.{min(power, 1)}f} {units[power]}"
