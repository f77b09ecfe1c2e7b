"""`jobtail flush`: sends the lines that wait on this machine, and tells how many went and how many are left."""

from __future__ import annotations

import time
from pathlib import Path

from jobtail.outbox.outbox import Outbox
from jobtail.outbox.spool import Spool, SpoolUnavailable
from jobtail.outbox.transport import HttpTransport
from jobtail.shell.command_job import quieten, spool_directory
from jobtail.shell.exits import Exit, say

PATIENCE_S = 5.0
"""How long nothing may go before we give up."""
LOOK_EVERY_S = 0.1


def flush(url: str, token: str | None) -> Exit:
    """Send what processes that are gone have left in the spool. The exit status tells whether anything is left."""
    quieten()
    directory = spool_directory()
    if directory is None:
        say("there is no place where lines could wait: name a directory by JOBTAIL_SPOOL_DIR")
        return Exit.COMPLETED
    try:
        transport = HttpTransport(url, token)
        return _send(Spool(directory, url), transport, directory)
    except ValueError as error:
        say(str(error))
        return Exit.USAGE
    except SpoolUnavailable as error:
        say(str(error))
        return Exit.FAILED
    except KeyboardInterrupt:
        say(f"interrupted; the rest still waits in {directory}")
        return Exit.INTERRUPTED


def _send(spool: Spool, transport: HttpTransport, directory: Path) -> Exit:
    url = transport.url
    waited = spool.waiting()
    for other, count in waited.items():
        if other != url:
            say(f"{_events(count)} in {directory} are meant for {other}: send them by --url {other}")
    if not waited.get(url):
        print(f"nothing waits in {directory} for {url}")  # noqa: T201 - the answer
        return Exit.COMPLETED
    outbox = Outbox(transport, spool)
    outbox.start()
    try:
        left = _wait(spool, outbox, url, waited[url])
        stats = outbox.stats()
    finally:
        outbox.close()
    print(f"sent {_events(stats.adopted)} from {directory} to {url}")  # noqa: T201 - the answer
    if left and stats.last_error:
        say(f"{_events(left)} still wait in {directory}: {stats.last_error}")
        return Exit.NO_SERVICE
    if left:
        say(f"{_events(left)} in {directory} are left to the processes that captured them, which still run")
    return Exit.COMPLETED


def _wait(spool: Spool, outbox: Outbox, url: str, left: int) -> int:
    """Wait until nothing is left, or nothing goes any more. Gives the count of what is left."""
    gone, until = 0, time.monotonic() + PATIENCE_S
    while left and time.monotonic() < until:
        time.sleep(LOOK_EVERY_S)
        left = spool.waiting().get(url, 0)
        if (now_gone := outbox.stats().adopted) > gone:
            gone, until = now_gone, time.monotonic() + PATIENCE_S
    return left


def _events(count: int) -> str:
    return f"{count} event" if count == 1 else f"{count} events"
