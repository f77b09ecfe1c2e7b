"""Database URLs as people have them."""

from __future__ import annotations

import pytest

from domain.errors import InvalidInput
from persistence.engine import postgres_url


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg"])
def test_a_url_of_any_driver_becomes_one_of_ours(scheme: str) -> None:
    url = postgres_url(f"{scheme}://jobtail:secret@db.example:5433/logs?sslmode=require")
    shown = url.render_as_string(hide_password=False)
    assert shown == "postgresql+asyncpg://jobtail:secret@db.example:5433/logs?ssl=require"


@pytest.mark.parametrize("url", ["nonsense", "mysql://host/db", "postgresql://host:port/db"])
def test_a_url_that_is_none_of_postgres_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        postgres_url(url)
