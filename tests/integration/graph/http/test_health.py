"""Health as a supervisor is told it: whether the service lives, whether it can serve, whether a restart helps."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx

from tests.client import PATIENCE_S
from tests.conftest import serving
from tests.processes import until


def asked(url: str, path: str) -> tuple[int, str]:
    answer = httpx.get(f"{url}{path}", timeout=PATIENCE_S)
    return answer.status_code, answer.json()["status"]


async def test_a_restart_is_asked_for_only_where_it_helps(tmp_path: Path) -> None:
    cluster, control = tmp_path / "data/postgres", tmp_path / "data/postgres/global/pg_control"
    log = tmp_path / "log"
    with serving("", log, JOBTAIL_DATA_DIR=str(tmp_path / "data")) as service:
        assert (asked(service.url, "/healthz"), asked(service.url, "/readyz")) == ((200, "ok"), (200, "ok"))
        control.rename(tmp_path / "away")
        os.kill(int((cluster / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        await until(lambda: "attempt 2, " in log.read_text())
        assert asked(service.url, "/readyz") == (503, "unavailable")
        assert asked(service.url, "/healthz") == (200, "ok")
        cluster.rename(tmp_path / "lost")
        assert asked(service.url, "/healthz") == (503, "restart")
        (tmp_path / "lost").rename(cluster)
        (tmp_path / "away").rename(control)
        await until(lambda: asked(service.url, "/readyz") == (200, "ok"))
        assert asked(service.url, "/healthz") == (200, "ok")
    assert (
        log.read_text().count("only a restart of the service helps: the data of the embedded PostgreSQL has gone") == 1
    )
