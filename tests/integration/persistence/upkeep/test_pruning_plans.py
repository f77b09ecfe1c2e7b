"""Pruning in a full database that was never analysed: what a step looks at is bounded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from jobtail.events import LogLevel
from persistence.sql import statement
from persistence.tables import level_bits
from persistence.upkeep.pruning import BY_KEYS
from tests.conftest import CloneDatabase, connect
from tests.loading import load_unanalysed
from tests.many_batches import LOAD
from tests.query_plans import Node, nodes, of_table

BEGIN = (datetime(2030, 7, 1, tzinfo=UTC), "", 0)
DEEP = (datetime(2030, 7, 15, tzinfo=UTC), "job-9", 3)
END = datetime(2030, 7, 20, tzinfo=UTC)
BATCHES, LINES = 300, 100


@pytest.fixture(scope="module")
def loaded_template(new_database: CloneDatabase, migrated_template: str) -> str:
    return load_unanalysed(new_database(migrated_template), LOAD)


@pytest.fixture
async def driver(new_database: CloneDatabase, loaded_template: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await connect(await asyncio.to_thread(new_database, loaded_template))
    yield connection
    await connection.close()


async def explain(
    driver: asyncpg.Connection[Any], place: tuple[datetime, str, int], levels: list[LogLevel], *, is_dry: bool
) -> list[Node]:
    step = statement("prune_lines")
    values = dict(zip(("recorded_at", "job_id", "first_seq"), place, strict=True))
    values |= {"before": END, "levels": levels, "level_bits": level_bits(levels)}
    values |= {"most_batches": BATCHES, "most_lines": LINES, "is_dry": is_dry}
    async with driver.transaction():
        for setting in BY_KEYS:
            await driver.execute(setting)
        text = await driver.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {step.text}", *step.arguments(values))
        (told,) = json.loads(text)
    return list(nodes(told["Plan"]))


@pytest.mark.parametrize("is_dry", [False, True])
@pytest.mark.parametrize("place", [BEGIN, DEEP], ids=["first", "deep"])
@pytest.mark.parametrize("plan_cache", ["force_custom_plan", "force_generic_plan"])
async def test_a_step_reads_its_lines_by_their_keys(
    driver: asyncpg.Connection[Any], place: tuple[datetime, str, int], plan_cache: str, *, is_dry: bool
) -> None:
    await driver.execute(f"SET plan_cache_mode = {plan_cache}")
    plan = await explain(driver, place, list(LogLevel), is_dry=is_dry)
    scans = [node for node in of_table(plan, "task_logs") if "Modify" not in node.kind]
    assert {node.kind for node in scans} == {"Index Scan"}
    assert sum(node.rows + node.dropped for node in scans) == LINES
    assert len({node.table for node in scans}) <= 2
    batches = [node for node in of_table(plan, "stored_batches") if "Modify" not in node.kind]
    assert {node.kind for node in batches} <= {"Index Scan", "Index Only Scan"}
    assert sum(node.rows + node.dropped for node in batches) <= BATCHES + 2 * LINES / 5


async def test_a_step_passes_a_bounded_number_of_batches_that_have_nothing_to_give(
    driver: asyncpg.Connection[Any],
) -> None:
    plan = await explain(driver, BEGIN, [LogLevel.TRACE], is_dry=False)
    assert [
        node for node in of_table(plan, "task_logs") if "Modify" not in node.kind and node.rows + node.dropped
    ] == []
    assert sum(node.rows + node.dropped for node in of_table(plan, "stored_batches")) == BATCHES
