"""The command line: serve, migrate, export-schema, prune, token, config, health."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import version
from typing import Annotated

import typer
from starlette.applications import Starlette

from graph.commands.config import config
from graph.commands.probe import health
from graph.commands.prune import prune
from graph.commands.running import database_of, run, say_database
from graph.commands.tokens import app as token_app
from graph.configuration import in_force
from graph.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Operate the Jobtail service. Settings come from the environment and from .env; see docs/operating.md.",
)
log = logging.getLogger(__name__)


def _say_version(wanted: bool) -> None:  # noqa: FBT001 - a flag, as typer hands it
    if wanted:
        typer.echo(f"jobtail-server {version('jobtail-server')}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Take what goes before the command."""


app.add_typer(token_app, name="token")
app.command()(prune)
app.command()(config)
app.command()(health)


@app.command()
def serve() -> None:
    """Serve the API and its pages until a signal ends it."""
    run(_serve)


@app.command()
def migrate() -> None:
    """Bring the database's tables to this version's form."""
    run(_migrate)


@app.command()
def export_schema() -> None:
    """Print the GraphQL schema."""
    from graph.schema import schema  # noqa: PLC0415 - the other commands need none of it

    sys.stdout.write(schema.as_str() + "\n")


def main() -> None:
    app()


async def _serve(settings: Settings) -> None:
    from graph.app import create_app  # noqa: PLC0415 - as above
    from graph.server.serving import serve as serve_app  # noqa: PLC0415

    async def say_start(_: Starlette) -> None:
        changed = [f"{each.variable}={each.value}" for each in in_force(settings) if each.source != "default"]
        log.info(
            "jobtail-server %s has started; its database is %s; its settings are %s",
            version("jobtail-server"),
            database_of(settings),
            " ".join(changed) or "the defaults",
        )

    await serve_app(create_app(settings, companion=say_start), settings)


async def _migrate(settings: Settings) -> None:
    from graph.databases import check_form, existing_database  # noqa: PLC0415 - as above
    from persistence.migration import revision_of, upgrade  # noqa: PLC0415
    from persistence.upkeep.maintenance import ensure_partitions  # noqa: PLC0415

    async with existing_database(settings) as database:
        before = await revision_of(database.engine)
        say_database(settings)
        await upgrade(database.engine)
        mended = await check_form(database, is_mended=True)
        await ensure_partitions(database)
        after = await revision_of(database.engine)
    typer.echo(f"The database was at revision {before or 'none'} and is at {after}.")
    if mended:
        typer.echo(f"Made again what was missing: {', '.join(mended)}.")
