"""The path of a page: how many files a reader passes who follows it from its text to its bytes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import orjson

from domain.sliced_search import SlicedSearch
from graph.context import Context, Services
from graph.formats.json_fragment import to_bytes
from graph.operations.watch import OperationName
from graph.schema import schema
from jobtail.events import JobStarted, Line
from persistence.database import Database
from persistence.stores.job_store import PostgresJobStore
from persistence.stores.log_store import PostgresLogStore
from tests.fakes import store

ROOT = Path(__file__).parents[3]
ROOMS = {str(ROOT / name) for name in ("domain", "graph", "persistence", "sdk")}
MOST_FILES = 25
PAGE = """{
  job(jobId: "job") {
    logs(first: 100) {
      nodes { seq stage taskId timestamp level message metadata }
      pageInfo { hasNextPage endCursor }
    }
  }
}"""


class Heard:
    """Hears of operations."""

    def __init__(self) -> None:
        self.operations: list[OperationName] = []

    def operation(self, operation: OperationName) -> AbstractContextManager[object]:
        self.operations.append(operation)
        return nullcontext()

    def unplanned(self, reason: str) -> None:
        raise AssertionError(reason)

    def failed(self, codes: Iterable[str]) -> None:
        raise AssertionError(codes)


@contextmanager
def files_passed() -> Iterator[set[str]]:
    """Collect the files of this project whose functions are called."""
    found: set[str] = set()
    former: Callable[..., Any] | None = sys.getprofile()

    def hear(frame: Any, event: str, _: Any) -> None:
        path = frame.f_code.co_filename
        if event == "call" and any(path.startswith(room) for room in ROOMS):
            found.add(path.removeprefix(f"{ROOT}/"))

    sys.setprofile(hear)
    try:
        yield found
    finally:
        sys.setprofile(former)


async def test_a_page_passes_few_files_from_its_text_to_its_bytes(database: Database) -> None:
    logs, heard = PostgresLogStore(database), Heard()
    lines = [Line(job_id="job", message=f"line {n}") for n in range(3)]
    await store(logs, JobStarted(job_id="job", handler_name="h"), *lines)
    services = SimpleNamespace(jobs=PostgresJobStore(database), logs=SlicedSearch(logs))

    async def answer() -> bytes:
        result = await schema.execute(PAGE, context_value=Context(cast("Services", services), watch=heard))
        assert not result.errors
        return to_bytes(result.data)

    await answer()
    with files_passed() as files:
        written = await answer()
    assert [node["seq"] for node in orjson.loads(written)["job"]["logs"]["nodes"]] == [1, 2, 3]
    assert [each.field for each in heard.operations] == ["job"] * 2
    assert len(files) <= MOST_FILES, sorted(files)
    assert "graph/plans/steps.py" in files
