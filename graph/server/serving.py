"""Runs an application on a port until a signal ends it, gracefully and in bounded time."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from signal import SIG_IGN, SIGHUP, SIGINT, SIGTERM, getsignal
from typing import Any

import uvicorn
from starlette.applications import Starlette

from domain.errors import InvalidInput
from graph.observability.sparing import Sparing
from graph.server.bounded_heads import BoundedHeads
from graph.server.bounded_websockets import SILENCE_S, BoundedWebSockets
from graph.settings import Access, Settings

GRACE_S = 3
"""How long open requests have to end."""
CUT_EVERY_S = 0.05
PING_EVERY_S = 30

log = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """Ends at a signal and returns, where uvicorn's own would raise the signal again amid the cleaning up.

    Streams that are open then are cut, as websockets are: their readers go on elsewhere, behind their cursors.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or ():
            _say_where(*listener.getsockname()[:2])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        cutting = asyncio.create_task(self._cut_streams())
        try:
            await super().shutdown(sockets)
        finally:
            cutting.cancel()

    async def _cut_streams(self) -> None:
        """Close every connection whose response has begun: whole answers begin and end in one go."""
        while True:
            for connection in list(self.server_state.connections):
                cycle = getattr(connection, "cycle", None)
                if cycle is not None and cycle.response_started and not cycle.response_complete:
                    cycle.transport.close()
            await asyncio.sleep(CUT_EVERY_S)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for signal in (SIGINT, SIGTERM, SIGHUP):
            if signal is not SIGHUP or getsignal(SIGHUP) is not SIG_IGN:  # nohup has it ignored
                loop.add_signal_handler(signal, self.handle_exit, signal, None)
        yield


async def serve(app: Starlette, settings: Settings) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP.

    Raises:
        InvalidInput: if the address cannot be had, or may not be without access control.
        JobtailError: whatever keeps the application from starting.
    """
    _require_access(settings)
    _open_many_files()
    asyncio.get_running_loop().set_exception_handler(LoopErrors())
    with listening(settings) as listener:
        async with app.router.lifespan_context(app):
            # What was imported and opened lives as long as the process: the collector need not look at it again and again.
            gc.collect()
            gc.freeze()
            await _Server(server_config(app, settings)).serve(sockets=[listener])


def server_config(app: Starlette, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        http=BoundedHeads,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=GRACE_S,
        ws=BoundedWebSockets,
        ws_ping_interval=PING_EVERY_S,
        ws_ping_timeout=SILENCE_S,
        ws_per_message_deflate=False,  # it would be done for each viewer again, of what all of them get
        ws_max_size=settings.max_query_bytes,
    )


def _open_many_files() -> None:
    """Let the process have as many connections as the machine lets it: the usual limit is for programs that open files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # where a platform's own limit is lower than what it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class LoopErrors:
    """Logs what goes wrong in the event loop itself, each kind once a minute: where descriptors run out, a thousand a second do."""

    def __init__(self) -> None:
        self._sparing = Sparing()

    def __call__(self, _: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        error, message = context.get("exception"), context["message"]
        held_back = self._sparing.look((message, type(error)))
        if held_back is not None:
            log.error("%s: %s (held back %d times since the last one)", message, error, held_back, exc_info=error)


def _require_access(settings: Settings) -> None:
    """Let only this machine's own callers in without a token."""
    if settings.access is Access.OFF and not _is_loopback(settings.host):
        raise InvalidInput(
            f"JOBTAIL_HOST={settings.host} can be reached by others, who could read every log: set JOBTAIL_ACCESS=tokens, "
            "and make tokens by `jobtail-server token create`"
        )


def _is_loopback(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return True  # it cannot be listened on, which says more
    return all(ip_address(str(address[0])).is_loopback for *_, address in found)


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """Listen where the settings say.

    Raises:
        InvalidInput: if that address cannot be had.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named, and without it a small answer waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen(1024)
        except OSError as error:
            raise InvalidInput(
                f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; set JOBTAIL_HOST or JOBTAIL_PORT "
                "to an address that is free",
            ) from error
        yield listener


def _say_where(host: str, port: int) -> None:
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    with suppress(BrokenPipeError):
        print(f"Jobtail is up: {address} | GraphiQL: {address}/graphql", flush=True)  # noqa: T201 - for the user
