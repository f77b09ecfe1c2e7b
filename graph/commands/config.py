"""jobtail-server config: which settings are in force, and where each is from."""

from __future__ import annotations

from typing import Annotated

import typer

from graph.commands.running import run
from graph.configuration import in_force
from graph.settings import Settings


def config(
    *,
    changed: Annotated[bool, typer.Option("--changed", help="Leave out what is as it comes.")] = False,
) -> None:
    """Show the settings that are in force, each with its source. Passwords and keys are hidden."""

    async def show(settings: Settings) -> None:
        for setting in in_force(settings):
            if not changed or setting.source != "default":
                typer.echo(f"{setting.variable}={setting.value}  # {setting.source}")

    run(show)
