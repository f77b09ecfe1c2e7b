"""`jobtail tail`: history and then live, as text, colour and JSON; and what its exit status tells."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version

import pytest

from tests.client import PATIENCE_S, Api, new_job_id
from tests.conftest import Service, serving
from tests.shell import JOBTAIL, LINE, at_terminal, environment, jobtail, read_until, running

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def api(shared_service: Service) -> Iterator[Api]:
    with Api(shared_service) as api:
        yield api


def lines(said: bytes) -> list[tuple[str, ...]]:
    found = [LINE.fullmatch(line) for line in said.decode().splitlines()]
    return [match.groups() for match in found if match]


def seqs(said: bytes) -> list[int]:
    return [json.loads(line)["seq"] for line in said.splitlines()]


def test_history_and_then_what_comes_is_shown_until_the_job_ends(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, "one", {"stage": "score", "taskId": "C_1", "level": "ERROR", "message": "two"})
    with running(api.service.url, "tail", job_id) as tail:
        assert tail.stdout is not None
        history = read_until(tail.stdout.fileno(), lambda heard: b"two" in heard)
        api.capture(job_id, "three")
        live = read_until(tail.stdout.fileno(), lambda heard: b"three" in heard)
        assert tail.poll() is None
        api.finish(job_id)
        assert tail.wait(PATIENCE_S) == 0
    assert lines(history + live) == [
        ("INFO", "read_jd", "one"),
        ("ERROR", "score/C_1", "two"),
        ("INFO", "read_jd", "three"),
    ]


@pytest.mark.parametrize(("status", "code"), [("COMPLETED", 0), ("FAILED", 1), ("CANCELLED", 5)])
def test_the_exit_status_tells_how_the_job_ended(api: Api, status: str, code: int) -> None:
    job_id = new_job_id()
    api.capture(job_id, "one")
    api.finish(job_id, status)
    for more in ([], ["--no-follow"]):
        assert jobtail(api.service.url, "tail", job_id, *more).returncode == code


def test_without_following_a_running_job_is_shown_to_its_present_end(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, *(f"line {number}" for number in range(1200)))
    shown = jobtail(api.service.url, "tail", job_id, "--no-follow", "--json")
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert seqs(shown.stdout) == list(range(1, 1201))


def test_filters_choose_lines(api: Api) -> None:
    job_id = new_job_id()
    api.capture(
        job_id,
        {"stage": "a", "level": "DEBUG", "message": "1"},
        {"stage": "a", "level": "WARNING", "message": "2"},
        {"stage": "b", "level": "ERROR", "taskId": "T", "message": "3"},
        {"stage": "b", "level": "INFO", "message": "4"},
    )

    def chosen(*options: str) -> list[int]:
        return seqs(jobtail(api.service.url, "tail", job_id, "--no-follow", "--json", *options).stdout)

    assert chosen("--level", "warning") == chosen("--level", "WARNING") == [2, 3]
    assert chosen("--stage", "b") == [3, 4]
    assert chosen("--task", "T") == [3]
    assert chosen("--since-line", "3") == [3, 4]
    assert chosen("--since-line", "2", "--level", "error") == [3]
    assert chosen("--since-line", "99") == []


def test_lines_before_the_wanted_one_are_not_shown_though_it_is_yet_to_come(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, "one")
    with running(api.service.url, "tail", job_id, "--since-line", "4", "--json") as tail:
        api.capture(job_id, "two", "three")
        api.capture(job_id, "four", "five")
        api.finish(job_id)
        said, _ = tail.communicate(timeout=PATIENCE_S)
    assert seqs(said) == [4, 5]


def test_json_has_all_of_a_line(api: Api) -> None:
    job_id = new_job_id()
    at = "2026-11-22T20:33:58.123456Z"
    api.capture(
        job_id,
        {
            "stage": "s",
            "taskId": "t",
            "level": "ERROR",
            "message": "ä\nb\x1b[2J",
            "timestamp": at,
            "metadata": {"k": 1},
        },
    )
    shown = jobtail(api.service.url, "tail", job_id, "--no-follow", "--json", PYTHONIOENCODING="ascii")
    assert json.loads(shown.stdout) == {
        "seq": 1,
        "timestamp": at,
        "level": "ERROR",
        "stage": "s",
        "taskId": "t",
        "message": "ä\nb\x1b[2J",
        "metadata": {"k": 1},
    }
    assert "ä" in shown.stdout.decode()


def test_a_message_of_several_lines_is_shown_whole_in_a_pipe(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, "first\n  second\n\x1b[2Jthird")
    shown = jobtail(api.service.url, "tail", job_id, "--no-follow")
    assert shown.stdout.decode().endswith("INFO      read_jd  first\n  second\nthird\n")


def test_a_terminal_shows_levels_and_the_jobs_own_colours_and_nothing_that_would_harm_it(api: Api) -> None:
    job_id = new_job_id()
    api.capture(
        job_id,
        {
            "stage": "s\x1b]0;evil\x07",
            "level": "ERROR",
            "message": "\x1b[32mgreen\x1b[0m \x1b[2J\x1b]0;t\x07\u202e10 %\b\b\b\b20 %",
        },
    )
    command = [*JOBTAIL, "tail", job_id, "--no-follow"]
    with at_terminal(api.service.url, command) as screen:
        assert screen.ended() == 0
        assert b"\x1b[31mERROR   \x1b[0m" in screen.seen
        assert b"\x1b[32mgreen\x1b[0m 20 %" in screen.seen
        assert b"\x1b]" not in screen.seen
        assert b"\x1b[2J" not in screen.seen
    with at_terminal(api.service.url, command, NO_COLOR="1") as screen:
        assert screen.ended() == 0
        assert b"ERROR     s  green 20 %" in screen.seen
        assert b"\x1b" not in screen.seen


def test_a_job_that_does_not_exist_is_waited_for(api: Api) -> None:
    job_id = new_job_id()
    with running(api.service.url, "tail", job_id) as tail:
        assert tail.stderr is not None
        said = read_until(tail.stderr.fileno(), lambda heard: b"\n" in heard)
        assert said.decode() == f"jobtail: there is no job {job_id} yet; waiting for it\n"
        api.capture(job_id, "one")
        api.finish(job_id)
        out, _ = tail.communicate(timeout=PATIENCE_S)
        assert (lines(out), tail.returncode) == ([("INFO", "read_jd", "one")], 0)


def test_without_following_a_job_that_does_not_exist_is_an_error(api: Api) -> None:
    refused = jobtail(api.service.url, "tail", "nope", "--no-follow")
    assert (refused.returncode, refused.stdout, refused.stderr) == (4, b"", b"jobtail: there is no job nope\n")


def test_without_a_service_it_says_where_it_looked_and_what_to_do() -> None:
    refused = jobtail(NOBODY, "tail", "J")
    assert refused.returncode == 3
    said = refused.stderr.decode()
    assert said.startswith(f"jobtail: there is no service: {NOBODY}: Connection refused. ")
    assert "Start it" in said
    assert "--url" in said
    assert "JOBTAIL_URL" in said
    by_option = jobtail("http://127.0.0.1:8", "tail", "J", "--url", NOBODY)
    assert NOBODY in by_option.stderr.decode()


@contextmanager
def answering(status: int) -> Iterator[str]:
    """Stand in the service's way, as a gateway does."""

    class Gateway(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            is_let_in = self.headers["Authorization"] == "Bearer right"
            self.send_response(404 if is_let_in else status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    with HTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused_is_said(status: int) -> None:
    with answering(status) as url:
        refused = jobtail(url, "tail", "J", "--token", "wrong")
        assert (refused.returncode, b"refuses the token" in refused.stderr) == (3, True)
        for accepted in (
            jobtail(url, "tail", "J", "--token", "right"),
            jobtail(url, "tail", "J", JOBTAIL_TOKEN="right"),
        ):
            assert (accepted.returncode, b"is no Jobtail service" in accepted.stderr) == (3, True)


def test_it_goes_through_the_proxy_of_the_environment_but_to_this_machine() -> None:
    far = "http://jobtail.example.invalid:8820"
    with answering(404) as proxy:
        refused = jobtail(far, "tail", "J", http_proxy=proxy)
        assert (refused.returncode, b"is no Jobtail service" in refused.stderr) == (3, True)
        near = jobtail(NOBODY, "tail", "J", http_proxy=proxy)
        assert b"Connection refused" in near.stderr
    gone = jobtail(far, "tail", "J", http_proxy="127.0.0.1:9")
    assert b"through the proxy http://127.0.0.1:9: Connection refused. " in gone.stderr
    other = jobtail(far, "tail", "J", http_proxy="socks5://127.0.0.1:9")  # which is passed by
    assert (other.returncode, b"there is no service" in other.stderr) == (3, True)


def test_the_version_is_that_of_the_package() -> None:
    shown = jobtail(NOBODY, "--version")
    assert (shown.returncode, shown.stdout.decode()) == (0, f"jobtail {version('jobtail')}\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["J", "--level", "loud"], "'loud' is none of trace, debug"),
        (["J", "--since-line", "0"], "'0' is no number of a line"),
        (["J", "--url", "nonsense"], "'nonsense' is no address"),
        ([], "required: JOB"),
        (["J", "--", "ls"], "takes no command"),
    ],
)
def test_a_wrong_command_line_is_refused(arguments: list[str], reason: str) -> None:
    refused = jobtail(NOBODY, "tail", *arguments)
    assert refused.returncode == 2
    assert reason in refused.stderr.decode()


def test_ctrl_c_ends_it_without_a_word(api: Api) -> None:
    job_id = new_job_id()
    api.capture(job_id, "one")
    with running(api.service.url, "tail", job_id) as tail:
        assert tail.stdout is not None
        read_until(tail.stdout.fileno(), lambda heard: b"one" in heard)
        tail.send_signal(signal.SIGINT)
        _, errors = tail.communicate(timeout=PATIENCE_S)
        assert (tail.returncode, errors) == (130, b"")


@pytest.mark.parametrize("is_silent", [True, False])
def test_it_ends_without_a_word_when_its_reader_has_gone(api: Api, is_silent: bool) -> None:
    job_id = new_job_id()
    more = " of many characters" * 20
    api.capture(job_id, "line 0", *(f"line {number}{more}" for number in range(1, 3 if is_silent else 2000)))
    done = subprocess.run(
        ["bash", "-c", '"$@" | head -1; echo "${PIPESTATUS[0]}"', "bash", *JOBTAIL, "tail", job_id],
        env=environment(api.service.url),
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert b"line 0\n141\n" in done.stdout
    assert done.stderr == b""


def test_a_message_of_50_megabytes_comes_through(database_url: str) -> None:
    message = "0123456789" * 5_000_000
    with serving(database_url, JOBTAIL_MAX_QUERY_BYTES=str(80 << 20)) as service, Api(service) as api:
        api.capture("big", message)
        shown = jobtail(service.url, "tail", "big", "--no-follow")
    assert shown.returncode == 0
    assert shown.stdout.endswith(b"INFO      read_jd  " + message.encode() + b"\n")


@pytest.mark.parametrize("options", [[], ["--level", "warning"]])
def test_a_service_that_restarts_costs_no_line_and_shows_none_twice(database_url: str, options: list[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    warnings = [{"stage": "s", "level": "WARNING" if number % 2 else "INFO", "message": "m"} for number in range(50)]
    with serving(database_url, JOBTAIL_PORT=port) as service, Api(service) as api:
        api.capture("J", *warnings)
        url = service.url
        with running(url, "tail", "J", "--json", *options) as tail:
            assert tail.stdout is not None
            assert tail.stderr is not None
            said = read_until(tail.stdout.fileno(), lambda heard: heard.count(b"\n") == (25 if options else 50))
            service.process.send_signal(signal.SIGINT)
            service.process.wait(PATIENCE_S)
            warned = read_until(tail.stderr.fileno(), lambda heard: b"\n" in heard)
            with serving(database_url, JOBTAIL_PORT=port) as again, Api(again) as later:
                later.capture("J", *warnings)
                later.finish("J")
                rest, more = tail.communicate(timeout=PATIENCE_S)
                assert tail.returncode == 0
    expected = [seq for seq in range(1, 101) if not options or seq % 2 == 0]
    assert seqs(said + rest) == expected
    assert warned + more == b"jobtail: the connection was lost, reconnecting\n"


def test_help_explains_the_exit_status() -> None:
    shown = jobtail(NOBODY, "tail", "--help")
    assert shown.returncode == 0
    assert "exit status:" in shown.stdout.decode()
