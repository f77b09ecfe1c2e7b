"""Names for statements, few and without a value: what those who watch the database are told."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from sqlalchemy import Select
from sqlalchemy.sql import CompoundSelect

from persistence.prepared_statements import Statement
from persistence.sql import NAMES
from persistence.tables import metadata

_TABLES = re.compile(rf"\b(?:FROM|JOIN|INTO|UPDATE)\s+({'|'.join(metadata.tables)})\b")


def name_of(statement: Select[Any] | CompoundSelect[Any] | Statement) -> str:
    """Name a statement by its file or, where it has none, by what it does to which tables."""
    text = statement.text if isinstance(statement, Statement) else str(statement)
    return NAMES.get(text) or _summary(text)


@cache
def _summary(text: str) -> str:
    return " ".join(dict.fromkeys(("SELECT", *_TABLES.findall(text))))
