"""jobtail-server health: asks a running service how it is, for probes of containers and supervisors."""

from __future__ import annotations

from http.client import HTTPException
from ipaddress import IPv6Address, ip_address
from typing import Annotated
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import typer

from domain.errors import InvalidInput, Unavailable
from graph.commands.running import run
from graph.settings import Settings

LONGEST_ANSWER = 10_000
"""Bytes."""


def health(
    *,
    url: Annotated[str | None, typer.Option(help="The service's address; by default what its settings say.")] = None,
    ready: Annotated[
        bool,
        typer.Option("--ready", help="Ask /readyz, whether it can serve, and not /healthz, whether it lives."),
    ] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="How long it may take, in seconds.")] = 5.0,
) -> None:
    """Ask a running service how it is. Ends with 0 if it is well, else with 1 and the reason on stderr."""
    path = "/readyz" if ready else "/healthz"

    async def ask(settings: Settings) -> None:
        typer.echo(_answer(f"{(url or address_of(settings)).rstrip('/')}{path}", timeout))

    run(ask)


def address_of(settings: Settings) -> str:
    """Find where a service with these settings is reached from its own machine.

    Raises:
        InvalidInput: if its port is not known beforehand.
    """
    if settings.port == 0:
        raise InvalidInput("JOBTAIL_PORT=0 takes any free port: say which by --url")
    try:
        address = ip_address(settings.host)
    except ValueError:
        return f"http://{settings.host}:{settings.port}"
    is_six = isinstance(address, IPv6Address)
    if address.is_unspecified:
        address = ip_address("::1" if is_six else "127.0.0.1")
    return f"http://[{address}]:{settings.port}" if is_six else f"http://{address}:{settings.port}"


def _answer(url: str, timeout_s: float) -> str:
    try:
        # A probe is for this very service: a proxy of the environment has no part in it.
        with build_opener(ProxyHandler({})).open(url, timeout=timeout_s) as answer:
            return str(answer.read(LONGEST_ANSWER).decode(errors="replace"))
    except HTTPError as error:
        raise Unavailable(
            f"{url} answers {error.code}: {error.read(LONGEST_ANSWER).decode(errors='replace')}"
        ) from error
    except ValueError as error:
        raise InvalidInput(f"{url} is no address: {error}") from error
    except (OSError, HTTPException) as error:
        raise Unavailable(f"{url} does not answer: {getattr(error, 'reason', error)}") from error
