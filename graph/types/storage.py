"""The storage type: the size of everything, by partition and by handler."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry

from domain import storage
from graph.formats.scalars import BigInt

DESCRIPTION = """How much room the database takes, and what takes it. It is of all jobs, so a token with a job prefix is refused."""


@strawberry.type(
    description="A table of lines: those that were stored in one week, or those of no week that has a table."
)
class PartitionStorage:
    name: str = strawberry.field(description="The table's name.")
    since: datetime | None = strawberry.field(
        description="Where its week begins. Inclusive; null for lines of no week."
    )
    until: datetime | None = strawberry.field(description="Where its week ends. Exclusive; null for lines of no week.")
    bytes: BigInt = strawberry.field(description="Its size on the disk, indexes included.")
    lines: BigInt | None = strawberry.field(
        description="How many lines it has: counted up to 16 MiB, beyond that as Postgres estimated at its last vacuum or "
        "analysis, and null before the first."
    )
    oldest: datetime | None = strawberry.field(description="When the first of its lines was stored.")
    newest: datetime | None = strawberry.field(description="When the last of its lines was stored.")

    @classmethod
    def from_domain(cls, partition: storage.Partition) -> Self:
        return cls(
            name=partition.name,
            since=partition.since,
            until=partition.until,
            bytes=BigInt(partition.size),
            lines=None if partition.lines is None else BigInt(partition.lines),
            oldest=partition.oldest,
            newest=partition.newest,
        )


@strawberry.type(description="What the jobs of a handler take.")
class HandlerStorage:
    handler_name: str = strawberry.field(description="The handler.")
    jobs: BigInt = strawberry.field(description="How many jobs it has.")
    lines: BigInt = strawberry.field(
        description="How many lines were captured of them, those included that were pruned."
    )
    bytes: BigInt = strawberry.field(
        description="About how many bytes of the partitions are its lines: estimated from what was stored in a random part of "
        "all batches, or in all of them up to 16 MiB of their descriptions."
    )

    @classmethod
    def from_domain(cls, handler: storage.HandlerStorage) -> Self:
        return cls(
            handler_name=handler.handler_name,
            jobs=BigInt(handler.jobs),
            lines=BigInt(handler.lines),
            bytes=BigInt(handler.size),
        )


@strawberry.type(description="How much room the database takes. Each part is found out only if it is asked for.")
class StorageReport:
    storage: strawberry.Private[storage.Storage]

    @strawberry.field(description="The size of all tables on the disk, indexes included.")
    async def total_bytes(self) -> BigInt:
        return BigInt(await self.storage.total_bytes())

    @strawberry.field(description="From which size on the operator wants to be warned; null if that is not set.")
    def warning_bytes(self) -> BigInt | None:
        limit = self.storage.warning_bytes
        return None if limit is None else BigInt(limit)

    @strawberry.field(description="Whether that size is reached.")
    async def is_past_warning(self) -> bool:
        limit = self.storage.warning_bytes
        return limit is not None and await self.storage.total_bytes() >= limit

    @strawberry.field(description="The tables of lines, by time.")
    async def partitions(self) -> list[PartitionStorage]:
        return [PartitionStorage.from_domain(partition) for partition in await self.storage.partitions()]

    @strawberry.field(
        description="The handlers, the largest first, at most 1,000. It takes longer the more jobs there are."
    )
    async def handlers(self) -> list[HandlerStorage]:
        return [HandlerStorage.from_domain(handler) for handler in await self.storage.handlers()]
