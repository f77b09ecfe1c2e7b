"""Versions of workers that do not fit the service's are told, each once."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from graph.capture.worker_versions import MOST_KNOWN, WorkerVersions


def test_a_worker_of_another_minor_version_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    versions = WorkerVersions("1.4.2")
    for agent in ("jobtail/1.4.0", "jobtail/1.4.9 python/3.11", "jobtail", "curl/8.1", None):
        versions.notice(agent)
    assert caplog.messages == []
    for agent in ("jobtail/1.5.0 python/3.11", "jobtail/1.5.0", "jobtail/2.4.0"):
        versions.notice(agent)
    assert caplog.messages == [
        "a worker has jobtail 1.5.0, and this service is jobtail-server 1.4.2: update the older one",
        "a worker has jobtail 2.4.0, and this service is jobtail-server 1.4.2: update the older one",
    ]


def test_versions_that_callers_make_up_take_no_room(caplog: pytest.LogCaptureFixture) -> None:
    versions = WorkerVersions("1.4.2")
    for number in range(10 * MOST_KNOWN):
        versions.notice(f"jobtail/9.{number}.0")
    assert len(caplog.messages) == MOST_KNOWN


def test_the_sdk_beside_the_service_has_its_version() -> None:
    assert version("jobtail").split(".")[:2] == version("jobtail-server").split(".")[:2]
