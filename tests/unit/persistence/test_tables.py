"""The tables as SQLAlchemy knows them. tests/integration holds the migrated database equal."""

from __future__ import annotations

import pytest
from sqlalchemy import Table, UniqueConstraint

from persistence.tables import metadata

OF_JOBS = [table for table in metadata.sorted_tables if "job_id" in table.columns]


@pytest.mark.parametrize("table", OF_JOBS, ids=lambda table: table.name)
def test_every_unique_key_of_a_jobs_rows_holds_the_job(table: Table) -> None:
    unique = [constraint.columns for constraint in table.constraints if isinstance(constraint, UniqueConstraint)]
    unique += [index.columns for index in table.indexes if index.unique]
    assert all("job_id" in columns for columns in [table.primary_key.columns, *unique])


@pytest.mark.parametrize("table", OF_JOBS, ids=lambda table: table.name)
def test_no_table_of_jobs_needs_a_sequence(table: Table) -> None:
    assert table.autoincrement_column is None
