"""The job system's own emitter, which its handlers are handed. It knows nothing of capture.

A job's progress is kept in memory and said at debug level, as it was before anybody thought of keeping the lines.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class TaskProgress:
    """How far a unit of work is."""

    name: str | None = None
    completed: bool | None = None
    """None while it is under way, False once it failed."""
    result: str | None = None


class RecruitingEmitter:
    """Keeps the progress of one job."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self.stage: str | None = None
        self.count = 0
        self.tasks: dict[str, TaskProgress] = {}
        self.errors: list[str] = []
        self.summary: str | None = None

    def emit_stage(self, stage: str, message: str) -> None:
        self.stage = stage
        self._say(message)

    def emit_info(self, message: str) -> None:
        self._say(message)

    def emit_progress(self, count: int, metadata: Mapping[str, Any] | None = None) -> None:
        self.count = count
        self._say(f"{count} done {dict(metadata or {})}")

    def emit_complete(self, summary: Any) -> None:
        self.summary = str(summary)
        self._say(self.summary)

    def emit_error(self, stage: str, error: Any) -> None:
        self.errors.append(f"{stage}: {error}")
        self._say(f"{stage} failed: {error}")

    def add_task(self, task_id: str, name: str | None = None) -> None:
        self.tasks[task_id] = TaskProgress(name)

    def update_task_status(self, task_id: str, completed: bool, result: str | None = None) -> None:  # noqa: FBT001
        task = self.tasks.setdefault(task_id, TaskProgress())
        task.completed, task.result = completed, result

    def emit_candidate_match(self, candidate_id: str, score: float, message: str) -> None:
        """Say how well a candidate fits, from 0 to 100."""
        self._say(f"{candidate_id} {score}: {message}")

    def emit_candidate_error(self, candidate_id: str, message: str) -> None:
        """Say why a candidate could not be scored."""
        self.errors.append(f"{candidate_id}: {message}")
        self._say(f"{candidate_id} failed: {message}")

    def emit_vacancy_found(self, vacancy_id: str, message: str, source: str) -> None:
        """Say that a page offers a vacancy, and where its description is."""
        self._say(f"{vacancy_id} at {source}: {message}")

    def _say(self, message: str) -> None:
        logger.debug("%s [%s] %s", self.job_id, self.stage or "-", message)
