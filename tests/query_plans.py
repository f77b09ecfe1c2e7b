"""Plans of queries, as PostgreSQL explains them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from persistence.database import Database
from tests.statements import statements_of


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a plan that was run."""

    kind: str
    table: str | None
    index: str | None
    rows: float
    """All that it gave."""
    dropped: float
    """All that it read in vain."""


def nodes(plan: dict[str, Any]) -> Iterator[Node]:
    if plan["Actual Loops"]:
        loops = plan["Actual Loops"]
        yield Node(
            plan["Node Type"],
            plan.get("Relation Name"),
            plan.get("Index Name"),
            plan["Actual Rows"] * loops,
            plan.get("Rows Removed by Filter", 0) * loops,
        )
    for part in plan.get("Plans", []):
        yield from nodes(part)


async def run(database: Database, asked: Awaitable[Any]) -> tuple[Any, list[Node]]:
    """Ask a store, and have the statements that it sends explained."""
    with statements_of(database) as sent:
        answer = await asked
    found: list[Node] = []
    async with database.engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        async with driver.transaction():  # settings hold as long
            for statement, parameters in sent:
                ((plan,),) = await driver.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *parameters)
                (told,) = json.loads(plan) if isinstance(plan, str) else plan
                found += nodes(told["Plan"])
    assert sent
    return answer, found


def of_table(plan: Sequence[Node], table: str) -> list[Node]:
    return [node for node in plan if node.table is not None and node.table.startswith(table)]
