"""Refused tokens in the service's own log: why each was refused, never the token, and each reason once a minute."""

from __future__ import annotations

import logging

from graph.observability.sparing import Sparing

log = logging.getLogger(__name__)


class Refusals:
    def __init__(self) -> None:
        self._sparing = Sparing()

    def say(self, reason: str, about: str = "") -> None:
        """Say why a token was refused. Reasons are few; what is said `about` one may be anything that is no secret."""
        held_back = self._sparing.look(reason)
        if held_back is not None:
            others = f"; {held_back} more for that reason since the last one that was said" if held_back else ""
            log.warning("a token was refused: %s%s%s", reason, about and f" ({about})", others)
