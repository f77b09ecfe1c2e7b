"""No change of the schema breaks a client of the version before, unless it is listed here on purpose."""

from __future__ import annotations

import subprocess

import pytest
from graphql import build_schema
from graphql.utilities import find_breaking_changes

from tests.conftest import ROOT

PURPOSE: frozenset[str] = frozenset()
"""Breaking changes since the version before that are meant, as their descriptions; CHANGELOG.md says why."""


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("this is no clone with its history")
    return done.stdout


def version_before() -> str:
    """The newest committed schema that differs from the one in the tree."""
    present = (ROOT / "schema.graphql").read_text("utf-8")
    for commit in git("log", "-2", "--format=%H", "--", "schema.graphql").split():
        committed = git("show", f"{commit}:schema.graphql")
        if committed != present:
            return committed
    pytest.skip("there is only one version")


def breaks(before: str, after: str) -> set[str]:
    return {change.description for change in find_breaking_changes(build_schema(before), build_schema(after))}


def test_the_schema_breaks_no_client_of_the_version_before() -> None:
    assert breaks(version_before(), (ROOT / "schema.graphql").read_text("utf-8")) == PURPOSE


def test_a_break_would_be_noticed() -> None:
    present = (ROOT / "schema.graphql").read_text("utf-8")
    assert breaks(present, present.replace("  lastSeq: BigInt!", "  newestSeq: BigInt!")) == {
        "Field CapturePayload.lastSeq was removed.",
        "Field Job.lastSeq was removed.",
        "Field LogBatch.lastSeq was removed.",
    }
