"""Documents that were parsed before are not parsed again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from strawberry.extensions import ParserCache


class DocumentCache(ParserCache):
    """Leaves a document that cannot be parsed to the schema, which reports it in a place where errors get their code."""

    def on_parse(self) -> Iterator[None]:
        context = self.execution_context
        with suppress(Exception):
            context.graphql_document = self.cached_parse_document(context.query, **context.parse_options)
        yield
