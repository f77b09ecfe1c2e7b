"""The options of a job, as its program gave them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from jobtail import client
from jobtail.jsonable import shown

JobId = str | Callable[..., Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """What `jobtail.job` was given; it says what each means."""

    job_id: JobId = None
    handler_name: str | None = None
    source: str | None = None
    execution_id: str | None = None
    schedule_id: str | None = None
    parent_job_id: str | None = None
    metadata: Mapping[str, Any] | None = None
    total: int | None = None
    emitter: Any = None
    capture_output: bool = False

    def of_call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Self:
        """Make those of one call of a decorated function."""
        job_id = self.job_id
        if callable(job_id):
            try:
                job_id = shown(job_id(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 - the call itself goes on, and is a job all the same
                client.writer().report_fault(error)
                job_id = None
        handler_name = self.handler_name or getattr(function, "__qualname__", None)
        return replace(self, job_id=job_id, handler_name=handler_name)
