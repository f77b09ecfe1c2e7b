"""The command line: serve, migrate, export-schema, prune, token."""

from __future__ import annotations

import sys

import typer

from domain.errors import JobtailError
from graph.commands.prune import prune
from graph.commands.running import run
from graph.commands.tokens import app as token_app
from graph.settings import Settings, read_settings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Operate the Jobtail service. Settings come from the environment; see docs/operating.md.",
)


app.add_typer(token_app, name="token")
app.command()(prune)


@app.command()
def serve() -> None:
    """Serve the API and its pages until a signal ends it."""
    run(_serve(_settings()))


@app.command()
def migrate() -> None:
    """Bring the database's tables to this version's form."""
    run(_migrate(_settings()))


@app.command()
def export_schema() -> None:
    """Print the GraphQL schema."""
    from graph.schema import schema  # noqa: PLC0415 - as above

    sys.stdout.write(schema.as_str() + "\n")


def main() -> None:
    app()


def _settings() -> Settings:
    from graph.observability.own_log import configure  # noqa: PLC0415 - as above

    try:
        settings = read_settings()
    except JobtailError as error:
        sys.exit(f"jobtail-server: {error}")
    configure(settings.log_level, settings.log_format)
    return settings


async def _serve(settings: Settings) -> None:
    from graph.app import create_app  # noqa: PLC0415 - the other commands need none of it
    from graph.server.serving import serve as serve_app  # noqa: PLC0415

    await serve_app(create_app(settings), settings)


async def _migrate(settings: Settings) -> None:
    from graph.app import open_database  # noqa: PLC0415 - as above
    from persistence.migration import revision_of, upgrade  # noqa: PLC0415
    from persistence.upkeep.maintenance import ensure_partitions  # noqa: PLC0415

    async with open_database(settings) as (_, database):
        before = await revision_of(database.engine)
        await upgrade(database.engine)
        await ensure_partitions(database)
        after = await revision_of(database.engine)
    typer.echo(f"The database was at revision {before or 'none'} and is at {after}.")
