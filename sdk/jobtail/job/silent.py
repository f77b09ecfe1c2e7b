"""The emitter of a job that has none: each call does nothing but be captured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class SilentEmitter:
    """Answers to ProgressEmitter, TaskTracker and every other `emit_*`."""

    def emit_stage(self, stage: str, message: str = "") -> None:
        """Say that a stage begins."""

    def emit_info(self, message: str, **metadata: Any) -> None:
        """Say something about the present stage."""

    def emit_progress(self, count: int, metadata: Mapping[str, Any] | None = None) -> None:
        """Say how much is done; `metadata` may name the `total`."""

    def emit_complete(self, summary: Any = None) -> None:
        """Say that the job is done."""

    def emit_error(self, stage: str, error: Any = None) -> None:
        """Say that a stage failed."""

    def add_task(self, task_id: str, name: str | None = None) -> None:
        """Say that work on a unit begins or is due."""

    def update_task_status(self, task_id: str, completed: bool, result: str | None = None) -> None:  # noqa: FBT001
        """Say how a unit ended."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("emit_"):
            return _say_nothing
        raise AttributeError(f"{type(self).__qualname__!r} has no attribute {name!r}")


def _say_nothing(*args: Any, **kwargs: Any) -> None:
    del args, kwargs
