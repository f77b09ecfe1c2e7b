"""A database that lost a part of its form, as by a restore, is found, and mended where that can be."""

from __future__ import annotations

import asyncio

import pytest

from graph.databases import check_form
from persistence.database import Database
from persistence.database_form import FUNCTIONS, changed_collations, mend, missing_parts, needed, parts
from persistence.tables import metadata
from tests.catalog import catalog_of
from tests.client import Api
from tests.command import run
from tests.conftest import connect, serving

LOSSES = {
    "index jobs_newest": "DROP INDEX jobs_newest",
    "index task_logs_by_level": "DROP INDEX task_logs_by_level",
    "index jobs_finished": "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'jobs_finished'::regclass",
    "constraint jobs_status_known": "ALTER TABLE jobs DROP CONSTRAINT jobs_status_known",
    "constraint access_tokens_pkey": "ALTER TABLE access_tokens DROP CONSTRAINT access_tokens_pkey",
    "collation search_fold": "DROP COLLATION search_fold",
}


async def lose(url: str, *statements: str) -> None:
    connection = await connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_migrated_database_lacks_nothing(database: Database) -> None:
    assert await missing_parts(database) == []
    assert await changed_collations(database) == []


async def test_all_functions_and_collations_that_migrations_make_are_looked_for(database_url: str) -> None:
    connection = await connect(database_url)
    try:
        functions = await connection.fetch("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace")
        collations = await connection.fetch(
            "SELECT collname FROM pg_collation WHERE collnamespace = 'public'::regnamespace"
        )
    finally:
        await connection.close()
    assert {row[0] for row in functions} == {part.name for part in parts() if part.kind == "function"}
    assert {row[0] for row in collations} == {part.name for part in parts() if part.kind == "collation"}


async def test_what_is_lost_is_found_and_made_again_as_it_was(database: Database, database_url: str) -> None:
    before = await catalog_of(database_url)
    await lose(database_url, *LOSSES.values())
    lost = await missing_parts(database)
    assert {str(part) for part in lost} == set(LOSSES)
    await mend(database.engine, lost)
    assert await missing_parts(database) == []
    assert await catalog_of(database_url) == before


async def test_tables_functions_and_keys_are_what_no_line_can_be_stored_without(
    database: Database, database_url: str
) -> None:
    keys = {str(table.primary_key.name) for table in metadata.tables.values()}
    assert {part.name for part in needed(parts())} == keys | set(FUNCTIONS) | metadata.tables.keys()
    await lose(database_url, "DROP FUNCTION task_logs_drop_week", LOSSES["index jobs_newest"])
    assert [str(part) for part in needed(await missing_parts(database))] == ["function task_logs_drop_week"]


def test_migrate_makes_again_what_a_restore_has_lost_and_says_so(database_url: str) -> None:
    asyncio.run(lose(database_url, LOSSES["collation search_fold"], LOSSES["index jobs_newest"]))
    with serving(database_url) as service, Api(service) as api:  # a service that lacks these stores lines all the same
        api.capture("JB_1", "found again")
    migrated = run("migrate", database_url=database_url)
    assert migrated.returncode == 0
    assert migrated.stdout.splitlines()[1] == "Made again what was missing: collation search_fold, index jobs_newest."
    with serving(database_url) as service, Api(service) as api:
        found = api.ask('{ job(jobId: "JB_1") { logs(filter: {search: "FOUND"}) { totalCount } } }')
        assert found["job"]["logs"]["totalCount"] == 1


def test_a_service_without_what_it_needs_does_not_start_and_names_it(database_url: str) -> None:
    asyncio.run(lose(database_url, LOSSES["constraint access_tokens_pkey"], LOSSES["index jobs_newest"]))
    refused = run("serve", database_url=database_url, JOBTAIL_PORT="0")
    assert refused.returncode == 1
    assert refused.stderr == (
        "jobtail-server: the database lacks what migrations made there: constraint access_tokens_pkey, index jobs_newest; "
        "a restore may have lost it: restore it again, or run `jobtail-server migrate`\n"
    )


async def test_what_is_missing_and_what_sorts_otherwise_is_a_warning(
    database: Database, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await lose(
        database_url,
        LOSSES["index jobs_newest"],
        "UPDATE pg_database SET datcollversion = '0' WHERE datname = current_database()",
    )
    assert await check_form(database, is_mended=False) == []
    lacking, sorting = (record.getMessage() for record in caplog.records)
    assert lacking.startswith("the database lacks what migrations made there: index jobs_newest; a restore may have")
    assert "was indexed by version 0 of its collation, and this server has 1: lines may not be found" in sorting
    assert "ALTER DATABASE" in sorting
