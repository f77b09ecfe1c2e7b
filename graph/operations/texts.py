"""Texts of documents: parsed and validated within bounds, for both may take far longer than the text is.

Each error's place is looked for through the whole text, and fields of one name are compared with each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from graphql import (
    ASTValidationRule,
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    InlineFragmentNode,
    parse,
    specified_rules,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from domain.errors import TooComplex
from graph.operations.limits import TOO_DEEP, QueryLimits

MOST_CHARACTERS = 64_000
"""Of a document. Values are sent as variables, for which there is more room."""
MOST_ERRORS = 5
"""That are told of one document."""
MOST_COMPARISONS = 20_000
"""Of fields with one name: each may be compared with each."""
RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)
"""GraphQL's own, and those of Strawberry's inputs."""
ABORTED = "Parsing aborted."
"""What graphql-core's parser says at the end of an error about the size or depth of a text."""


def read(text: str, limits: QueryLimits) -> DocumentNode:
    """Parse a document.

    Raises:
        TooComplex: if it is too long, or nested too deeply.
        GraphQLSyntaxError: if it is none.
    """
    if len(text) > MOST_CHARACTERS:
        raise TooComplex(
            f"the query has {len(text):,} characters, {len(text) - MOST_CHARACTERS:,} more than the {MOST_CHARACTERS:,} that it "
            "may: pass values as variables, or divide it"
        )
    try:
        return parse(text, max_tokens=limits.max_query_tokens)
    except GraphQLSyntaxError as error:
        if not error.message.endswith(ABORTED):
            raise
        if "tokens" in error.message:
            raise limits.too_long(text, next(iter(error.positions or (0,)))) from None
        raise TooComplex(TOO_DEEP) from None


def errors_of(
    schema: GraphQLSchema, document: DocumentNode, rules: Sequence[type[ASTValidationRule]]
) -> list[GraphQLError]:
    """Validate a document, and give the first of its errors.

    Raises:
        TooComplex: if that would take too long.
    """
    most, name = max((count, name) for name, count in {**_names(document), "": 0}.items())
    if most * most > MOST_COMPARISONS:
        raise TooComplex(f"the query asks for {name!r} {most:,} times: ask for it once, or divide it")
    try:
        return list(map(_of_the_client, validate(schema, document, rules, max_errors=MOST_ERRORS)))
    except RecursionError:  # fragments of fragments
        raise TooComplex(TOO_DEEP) from None


def _names(document: DocumentNode) -> Counter[str]:
    """Count the fields by the names that they have in the answer."""
    names = Counter[str]()
    waiting = [each.selection_set for each in document.definitions if isinstance(each, ExecutableDefinitionNode)]
    while waiting:
        for node in waiting.pop().selections:
            if isinstance(node, FieldNode):
                names[(node.alias or node.name).value] += 1
                if node.selection_set is not None:
                    waiting.append(node.selection_set)
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
    return names


def _of_the_client(error: GraphQLError) -> GraphQLError:
    """Take an error of a document for what it is, though Python says it, such as of a number of 5,000 digits."""
    if error.original_error is None or isinstance(error.original_error, GraphQLError):
        return error
    return GraphQLError("a value cannot be read as the type that it must have", error.nodes)
