"""jobtail-server token: make, list and revoke the tokens of a database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

import typer

from domain.access import Scope, Token, TokenStore
from domain.durations import read_duration
from domain.errors import NotFound
from graph.access.gate import make_token, now
from graph.commands.running import run, say_database
from graph.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke the tokens that let callers in.")


@app.command()
def create(
    scope: Annotated[list[Scope], typer.Option(help="What it allows; give it once or more.")],
    job_prefix: Annotated[str | None, typer.Option(help="Only jobs whose ids begin with this.")] = None,
    expires: Annotated[str | None, typer.Option(help="How long it is valid, such as 90d, 12h or 30m.")] = None,
    name: Annotated[str | None, typer.Option(help="What you will know it by.")] = None,
) -> None:
    """Make a token and print it. It is shown this once: only a digest of it is kept."""

    async def work(tokens: TokenStore) -> None:
        valid = None if expires is None else read_duration(expires, "--expires")
        text, token = make_token(scope, job_prefix=job_prefix, valid=valid, name=name)
        await tokens.add(token)
        typer.echo(f"{_line(token)}\nKeep it now, it is not shown again:", err=True)
        typer.echo(text)

    _run(work)


@app.command("list")
def list_tokens() -> None:
    """List all tokens, the oldest first."""

    async def work(tokens: TokenStore) -> None:
        for token in await tokens.all():
            typer.echo(_line(token))

    _run(work)


@app.command()
def revoke(token_id: Annotated[str, typer.Argument(help="Its id, as `token list` shows it.")]) -> None:
    """End a token now. What it let in live is ended within 10 seconds."""

    async def work(tokens: TokenStore) -> None:
        if not await tokens.revoke(token_id, now()):
            raise NotFound("valid token", token_id)
        typer.echo(f"{token_id} is revoked.")

    _run(work)


def _run(work: Callable[[TokenStore], Awaitable[None]]) -> None:
    from graph.databases import open_tokens  # noqa: PLC0415 - `token --help` needs none of it

    async def with_tokens(settings: Settings) -> None:
        async with open_tokens(settings) as tokens:
            say_database(settings)
            await work(tokens)

    run(with_tokens)


def _line(token: Token) -> str:
    parts = [token.token_id, ",".join(sorted(token.scopes))]
    if token.job_prefix is not None:
        parts.append(f"jobs {token.job_prefix}*")
    parts.append("for ever" if token.expires_at is None else f"until {_time(token.expires_at)}")
    if token.revoked_at is not None:
        parts.append(f"revoked {_time(token.revoked_at)}")
    return "  ".join([*parts, token.name or ""]).rstrip()


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
