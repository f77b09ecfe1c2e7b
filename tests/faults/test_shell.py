"""`jobtail run` while the service is away, slow or wrong: the command notices nothing, and its lines come later."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.client import PATIENCE_S, Api
from tests.conftest import serving
from tests.shell import jobtail, read_until, running, wait_until

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _own_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def stored(api: Api, job_id: str) -> tuple[str, list[str]] | None:
    query = "query ($id: String!) { job(jobId: $id) { status logs(first: 1000) { nodes { message } } } }"
    job = api.ask(query, id=job_id)["job"]
    return job and (job["status"], [line["message"] for line in job["logs"]["nodes"]])


@contextmanager
def silent() -> Iterator[str]:
    """Listen and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_without_a_service_lines_wait_for_the_next_run(database_url: str, port: str, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{port}"
    done = jobtail(url, "run", "--job", "J_1", "--", "sh", "-c", "echo one; echo two; exit 3")
    assert (done.returncode, done.stdout) == (3, b"one\ntwo\n")
    said = done.stderr.decode()
    assert said.startswith(
        f"jobtail: 4 events wait in {tmp_path}/jobtail and will be sent by the next jobtail run: {url}"
    )
    assert said.count("\n") == 1
    with serving(database_url, JOBTAIL_PORT=port) as service, Api(service) as api:
        assert jobtail(url, "run", "--job", "J_2", "--", "echo", "three").stderr == b""
        wait_until(lambda: stored(api, "J_1"))
        assert stored(api, "J_1") == ("FAILED", ["one", "two"])
        assert stored(api, "J_2") == ("COMPLETED", ["three"])


def test_a_service_that_is_away_or_silent_costs_no_more_than_a_moment() -> None:
    started = time.monotonic()
    jobtail(NOBODY, "run", "--help")
    start_s = time.monotonic() - started
    with silent() as mute:
        for url in (NOBODY, mute, "http://no-such-host.invalid"):
            started = time.monotonic()
            done = jobtail(url, "run", "--", "sh", "-c", "echo one; exit 4")
            assert (done.returncode, done.stdout) == (4, b"one\n")
            assert b"will be sent by the next jobtail run" in done.stderr
            assert time.monotonic() - started - start_s < 5


def test_a_service_that_stops_and_comes_back_while_a_command_runs_gets_every_line(database_url: str, port: str) -> None:
    url = f"http://127.0.0.1:{port}"
    program = "echo 1; read a; echo 2; echo 3; read b; echo 4"
    with running(url, "run", "--job", "J", "--", "sh", "-c", program, stdin=subprocess.PIPE) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        with serving(database_url, JOBTAIL_PORT=port) as service, Api(service) as api:
            wait_until(lambda: stored(api, "J") == ("RUNNING", ["1"]))
        run.stdin.write(b"\n")
        run.stdin.flush()
        assert read_until(run.stdout.fileno(), lambda heard: b"3\n" in heard).endswith(b"2\n3\n")
        with serving(database_url, JOBTAIL_PORT=port) as service, Api(service) as api:
            _, errors = run.communicate(b"\n", timeout=PATIENCE_S)
            assert (run.returncode, errors) == (0, b"")
            assert stored(api, "J") == ("COMPLETED", ["1", "2", "3", "4"])


@pytest.mark.parametrize("settings", [{"JOBTAIL_SPOOL_DIR": "/proc/none"}, {"JOBTAIL_URL": "nonsense"}])
def test_a_capture_that_cannot_be_set_up_does_not_keep_the_command_from_running(settings: dict[str, str]) -> None:
    done = jobtail(NOBODY, "run", "--", "sh", "-c", "echo one; exit 6", **settings)
    assert (done.returncode, done.stdout) == (6, b"one\n")
    assert done.stderr.startswith(b"jobtail: ")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("status", [0, 3])
def test_where_nothing_can_be_written_the_commands_status_stays_and_the_loss_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME")
    (tmp_path / f"jobtail-{os.getuid()}").touch()  # where the directory would be made
    done = jobtail(NOBODY, "run", "--", "sh", "-c", f"echo one; exit {status}", HOME="/dev/null", TMPDIR=str(tmp_path))
    assert (done.returncode, done.stdout) == (status, b"one\n")
    assert done.stderr.startswith(b"jobtail: 3 events were lost: ")
    assert done.stderr.count(b"\n") == 1


def test_a_killed_run_leaves_its_lines_to_the_next_one(database_url: str, port: str) -> None:
    url = f"http://127.0.0.1:{port}"
    with running(url, "run", "--job", "J_1", "--", "sh", "-c", "echo one; read wait", stdin=subprocess.PIPE) as run:
        assert run.stdout is not None
        read_until(run.stdout.fileno(), lambda heard: b"one\n" in heard)
        run.send_signal(signal.SIGKILL)
        run.wait(PATIENCE_S)
    with serving(database_url, JOBTAIL_PORT=port) as service, Api(service) as api:
        jobtail(url, "run", "--job", "J_2", "--", "true")
        wait_until(lambda: stored(api, "J_1") == ("RUNNING", ["one"]))


def test_a_flood_passes_unhindered_while_nobody_takes_its_lines() -> None:
    with silent() as mute:
        done = jobtail(mute, "run", "--", "seq", "50000")
    assert done.returncode == 0
    assert done.stdout.split() == [b"%d" % number for number in range(1, 50_001)]


def test_what_waits_in_memory_at_the_end_is_kept_on_disk(database_url: str, port: str) -> None:
    url = f"http://127.0.0.1:{port}"
    with socket.create_server(("127.0.0.1", int(port))):
        assert jobtail(url, "run", "--job", "J_1", "--", "seq", "50000").returncode == 0
    with serving(database_url, JOBTAIL_PORT=port) as service, Api(service) as api:
        query = '{ job(jobId: "J_1") { status lastSeq logs(last: 1) { nodes { message } } } }'
        done = jobtail(url, "run", "--job", "J_2", "--", "true")
        assert (done.returncode, done.stderr) == (0, b"")  # it waits while older lines are on their way
        assert stored(api, "J_2") == ("COMPLETED", [])
        job = api.ask(query)["job"]
        assert (job["status"], job["lastSeq"]) == ("COMPLETED", 50_000)
        assert job["logs"]["nodes"] == [{"message": "50000"}]
