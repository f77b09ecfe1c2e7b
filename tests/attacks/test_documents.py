"""Documents that take longer to understand than to send: the event loop answers others meanwhile, and little is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.attacks.watching import MIB, watched
from tests.client import PATIENCE_S, Api
from tests.conftest import CloneDatabase, Service, serving

SOON_S = 1.5
MOST_GROWN_BYTES = 48 * MIB


def doubled(levels: int, field: str = "parent") -> str:
    """Ask for twice as much with each level, by fragments."""
    fragments = (
        f"fragment f{n} on Job {{ {field} {{ ...f{n + 1} }} a{n}: {field} {{ ...f{n + 1} }} }}" for n in range(levels)
    )
    return f'{{ job(jobId: "x") {{ ...f0 }} }} {" ".join(fragments)} fragment f{levels} on Job {{ jobId }}'


def crossed(levels: int) -> str:
    """Ask for fields in sets that are others on each path: what was planned for one is of no use for another."""
    fragments = (
        f"fragment a{n} on Job {{ parent {{ ...a{n + 1} ...b{n + 1} }} p{n}: parent {{ ...b{n + 1} }} }} "
        f"fragment b{n} on Job {{ parent {{ ...a{n + 1} }} p{n}: parent {{ ...a{n + 1} ...b{n + 1} }} }}"
        for n in range(levels)
    )
    last = f"fragment a{levels} on Job {{ jobId }} fragment b{levels} on Job {{ status }}"
    return f'{{ job(jobId: "x") {{ ...a0 ...b0 }} }} {" ".join(fragments)} {last}'


UNKNOWN = " ".join(f"z{n}" for n in range(110))
DOCUMENTS = {
    "doubled 9 times": doubled(9),
    "doubled 12 times": doubled(12),
    "doubled 18 times": doubled(18),
    "crossed 14 times": crossed(14),
    "errors behind many lines": "{" + "\n" * 62_000 + UNKNOWN + "}",
    "errors behind more lines": "{" + "\r\n" * 1_000_000 + UNKNOWN + "}",
    "no document behind many lines": "{" + "\n" * 62_000 + "!",
    "no document behind more lines": "{" + "\n" * 1_900_000 + "!",
    "long names": "{" + " ".join(f"z{n}" + "y" * 600 for n in range(100)) + "}",
    "longer names": "{" + " ".join(f"z{n}" + "y" * 30_000 for n in range(110)) + "}",
    "fields over and over": "{" + "jobs { nodes { jobId } } " * 270 + "}",
    "leaves over and over": "{ jobs { nodes { " + "jobId " * 1900 + "} } }",
    "fragments over and over": "{ jobs { nodes { "
    + " ".join(f"...f{n}" for n in range(190))
    + " } } } "
    + " ".join(f"fragment f{n} on Job {{ jobId }}" for n in range(190)),
    "a long text": '{ job(jobId: "' + "x" * 3_900_000 + '") { jobId } }',
    "a long comment": "#" + "x" * 3_900_000 + "\n{ __typename }",
}


@pytest.fixture(scope="module")
def service(new_database: CloneDatabase, migrated_template: str) -> Iterator[Service]:
    with serving(new_database(migrated_template)) as service:
        yield service


@pytest.mark.parametrize("name", DOCUMENTS)
def test_nobody_waits_for_a_document_that_is_hard_to_understand(service: Service, name: str) -> None:
    body = json.dumps({"query": DOCUMENTS[name]}).encode()
    with watched(service) as seen:
        answer = httpx.post(
            service.graphql_url, content=body, headers={"Content-Type": "application/json"}, timeout=PATIENCE_S
        )
    assert answer.status_code == 200, answer.text
    assert len(answer.json().get("errors", ())) <= 11, answer.text
    assert seen.silent_s < SOON_S, (seen, answer.text[:200])
    assert seen.grown_bytes < MOST_GROWN_BYTES + 10 * len(body), seen


def test_what_fragments_share_is_planned_once(service: Service) -> None:
    with Api(service) as api:
        assert api.ask(doubled(18)) == {"job": None}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("leaves over and over", "asks for 'jobId' 1,900 times"),
        ("a long text", "more than the 64,000 that it may: pass values as variables"),
    ],
)
def test_what_is_too_hard_is_refused_with_what_to_do(service: Service, name: str, said: str) -> None:
    with Api(service) as api:
        error = api.refusal(DOCUMENTS[name])
    assert error.code == "TOO_COMPLEX"
    assert said in error.message


def test_errors_are_told_with_their_places(service: Service) -> None:
    answer = httpx.post(
        service.graphql_url, json={"query": "{\n  nothing\r\n  jobs { nodes { none } }\r}"}, timeout=PATIENCE_S
    )
    assert [error["locations"] for error in answer.json()["errors"]] == [
        [{"line": 2, "column": 3}],
        [{"line": 3, "column": 18}],
    ]
