"""The versions of workers, as they name them: one that does not fit this service's is logged once."""

from __future__ import annotations

import logging
import re
from importlib.metadata import version

NAMED = re.compile(r"jobtail/((\d+)\.(\d+)[0-9A-Za-z.+-]{0,30})")
MOST_KNOWN = 100
"""Whoever calls may make versions up."""

log = logging.getLogger(__name__)


class WorkerVersions:
    def __init__(self, own: str | None = None) -> None:
        self._own = own or version("jobtail-server")
        self._known: set[str] = set()

    def notice(self, user_agent: str | None) -> None:
        """Compare the version in a User-Agent. Those that differ in their last number only fit together."""
        named = NAMED.match(user_agent or "")
        if named is None or named[1] in self._known or len(self._known) >= MOST_KNOWN:
            return
        self._known.add(named[1])
        if [named[2], named[3]] != self._own.split(".")[:2]:
            log.warning(
                "a worker has jobtail %s, and this service is jobtail-server %s: update the older one",
                named[1],
                self._own,
            )
