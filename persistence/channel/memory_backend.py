"""Announcements within one process: broadcaster's own backend, which cannot be away."""

from __future__ import annotations

from broadcaster._backends.memory import MemoryBackend as BroadcasterMemory


class MemoryBackend(BroadcasterMemory):
    message_limit = 256 * 1024

    async def check_publishing(self) -> None: ...

    async def aclose(self) -> None: ...
