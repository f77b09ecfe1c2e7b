"""The emitters of a job, and the wrapper that captures what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class ProgressEmitter(Protocol):
    """What a job reports its progress to. Domain emitters add methods of their own, such as emit_candidate_match."""

    def emit_stage(self, stage: str, message: str) -> Any:
        """Say that a stage begins."""

    def emit_info(self, message: str) -> Any:
        """Say something about the present stage."""

    def emit_progress(self, count: int, metadata: Mapping[str, Any] | None = None) -> Any:
        """Say how much is done; `metadata` may name the `total`."""

    def emit_complete(self, summary: Any) -> Any:
        """Say that the job is done."""

    def emit_error(self, stage: str, error: Any) -> Any:
        """Say that a stage failed."""


class TaskTracker(Protocol):
    """What a job that works through units reports them to."""

    def add_task(self, task_id: str, name: str | None = None) -> Any:
        """Say that work on a unit begins or is due."""

    def update_task_status(self, task_id: str, completed: bool, result: str | None = None) -> Any:  # noqa: FBT001
        """Say how a unit ended."""
