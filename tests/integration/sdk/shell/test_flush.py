"""`jobtail flush` sends what waits on this machine, and tells what it did."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from tests.client import Api
from tests.conftest import serving
from tests.shell import jobtail, running

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _own_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def test_what_waits_is_sent_and_counted(database_url: str, port: str, tmp_path: Path) -> None:
    url, directory = f"http://127.0.0.1:{port}", tmp_path / "jobtail"
    for number in (1, 2):
        jobtail(url, "run", "--job", f"J_{number}", "--", "seq", "3")
    with serving(database_url, JOBTAIL_PORT=port) as service, Api(service) as api:
        done = jobtail(url, "flush")
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.decode() == f"sent 10 events from {directory} to {url}\n"
        assert [job["lastSeq"] for job in api.ask("{ jobs(first: 9) { nodes { lastSeq } } }")["jobs"]["nodes"]] == [
            3,
            3,
        ]
        again = jobtail(url, "flush")
        assert (again.returncode, again.stdout.decode()) == (0, f"nothing waits in {directory} for {url}\n")


def test_what_is_meant_for_another_service_is_told(tmp_path: Path) -> None:
    jobtail(NOBODY, "run", "--", "echo", "one")
    done = jobtail("http://127.0.0.1:8", "flush")
    assert done.returncode == 0
    assert done.stderr.decode() == (
        f"jobtail: 3 events in {tmp_path}/jobtail are meant for {NOBODY}: send them by --url {NOBODY}\n"
    )


def test_without_a_service_what_is_left_is_told_and_the_status_is_that_of_tail(tmp_path: Path) -> None:
    jobtail(NOBODY, "run", "--", "echo", "one")
    done = jobtail(NOBODY, "flush")
    assert (done.returncode, done.stdout.decode()) == (3, f"sent 0 events from {tmp_path}/jobtail to {NOBODY}\n")
    assert done.stderr.decode().startswith(
        f"jobtail: 3 events still wait in {tmp_path}/jobtail: {NOBODY} can't be reached"
    )


def test_lines_of_a_process_that_still_runs_are_left_to_it(tmp_path: Path) -> None:
    with running(NOBODY, "run", "--", "sh", "-c", "echo one; read go", stdin=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"one\n"
        while b"which still run" not in jobtail(NOBODY, "flush").stderr:
            assert run.poll() is None
        assert run.poll() is None


def test_a_machine_without_a_place_for_lines_has_none_that_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME")
    (tmp_path / "jobtail-0").touch()
    done = jobtail(NOBODY, "flush", HOME="/dev/null", TMPDIR=str(tmp_path / "jobtail-0"))
    assert done.returncode == 0
    assert b"JOBTAIL_SPOOL_DIR" in done.stderr or b"nothing waits" in done.stdout
