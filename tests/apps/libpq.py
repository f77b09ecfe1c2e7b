"""URLs of databases as libpq reads them."""

from __future__ import annotations

from sqlalchemy.engine import make_url


def libpq(database_url: str) -> tuple[dict[str, str], str]:
    """Name a database to libpq: by its environment, and in one string."""
    url = make_url(database_url)
    environment = {
        "PGHOST": str(url.query.get("host", url.host)),
        "PGPORT": str(url.query.get("port", url.port)),
        "PGUSER": url.username or "",
        "PGDATABASE": url.database or "",
    }
    return environment, "host={PGHOST} port={PGPORT} user={PGUSER} dbname={PGDATABASE}".format_map(environment)
