"""A process that ends sends what waits, or leaves it on disk, and keeps its end: in time, with its own status."""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests import file_sink

BEGIN = """
import os, signal, sys, threading, time
import jobtail
from tests.file_sink import capture_to_file
"""
WAIT = "while True: time.sleep(0.05)"
"""Python hears a signal between two steps of its main thread: one that comes just as a sleep begins waits for its end."""
SLOW = f"{BEGIN}\ncapture_to_file(delay_s=0.3)\n"
HUNDRED = [str(number) for number in range(100)]


def started(program: str, path: Path, **environment: str) -> subprocess.Popen[str]:
    """Start a program and wait until it says so."""
    process = file_sink.start(program, path, **environment)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def ended(process: subprocess.Popen[str], number: int | None = None) -> tuple[int, str, str]:
    """Send it a signal, if any, and tell its status, and what it said and complained of since it was started."""
    if number is not None:
        process.send_signal(number)
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        try:
            said, complained = process.stdout.read(), process.stderr.read()  # what readline() has buffered, too
            return process.wait(30), said, complained
        finally:
            process.kill()


def test_what_waits_at_the_end_of_the_program_is_sent(tmp_path: Path) -> None:
    program = f"""{SLOW}
with jobtail.job("JB_1") as emitter:
    for number in range(100):
        emitter.emit_info(str(number))
"""
    file_sink.run(program, tmp_path / "sent")
    assert file_sink.messages(tmp_path / "sent") == HUNDRED
    assert file_sink.read(tmp_path / "sent")[-1].kind == "JobFinished"


def test_what_is_still_in_memory_after_the_bound_is_handed_over_all_the_same(tmp_path: Path) -> None:
    program = f"""{BEGIN}
from jobtail import client
from tests.file_sink import FileSink
client.use(client.Client(FileSink(os.environ["TEST_SINK_FILE"], 0.3), flush_s=0.1))
with jobtail.job("JB_1") as emitter:
    for number in range(1500):
        emitter.emit_info(str(number))
"""
    file_sink.run(program, tmp_path / "sent")
    assert file_sink.messages(tmp_path / "sent") == [str(number) for number in range(1500)]


def test_a_long_line_and_the_end_behind_it_wait_for_the_search_for_secrets(tmp_path: Path) -> None:
    program = f"""{BEGIN}
from jobtail import client
from tests.file_sink import FileSink
def mask(event):
    if len(getattr(event, "message", "")) > 1000:
        time.sleep(3.5)
    return event
client.use(client.Client(FileSink(os.environ["TEST_SINK_FILE"]), mask=mask, flush_s=0.1))
with jobtail.job("JB_1") as emitter:
    emitter.emit_info("x" * (4 << 20))
"""
    file_sink.run(program, tmp_path / "sent")
    assert [len(message) for message in file_sink.messages(tmp_path / "sent")] == [4 << 20]
    assert file_sink.ends(tmp_path / "sent") == [("COMPLETED", None)]


def test_a_relative_directory_stays_where_it_was_asked_for(tmp_path: Path, away: str) -> None:
    program = f"""{BEGIN}
os.chdir({str(tmp_path)!r})
jobtail.configure(spool_dir="spool", flush_s=0.1)
with jobtail.job("JB_1") as emitter:
    os.mkdir("elsewhere")
    os.chdir("elsewhere")
    emitter.emit_info("said")
"""
    status, _, _ = ended(file_sink.start(program, tmp_path, JOBTAIL_URL=away))
    assert status == 0
    assert spooled_lines(tmp_path / "spool") == 3
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_an_end_waits_no_longer_than_it_gets_on(tmp_path: Path) -> None:
    """With a sink that takes nothing, neither by wire nor on disk."""
    program = f"""{BEGIN}
from jobtail import SinkUnavailable, client
from tests.file_sink import FileSink
class Full(FileSink):
    def send(self, batch):
        raise SinkUnavailable("no space left")
client.use(client.Client(Full(""), flush_s=0.1))
with jobtail.job("JB_1") as emitter:
    emitter.emit_info("lost")
print(time.monotonic())
"""
    status, said, complained = ended(file_sink.start(program, tmp_path / "sent"))
    assert status == 0
    assert time.monotonic() - float(said) < 1 + QUICK_S
    assert "3 events are dropped" in complained


def test_a_program_that_fails_fails_as_without_capture(tmp_path: Path) -> None:
    program = f"""{SLOW}
with jobtail.job("JB_1") as emitter:
    emitter.emit_info("before")
    1 / 0
"""
    status, _, complained = ended(file_sink.start(program, tmp_path / "sent"))
    assert status == 1
    assert complained.startswith("Traceback (most recent call last):\n")
    assert complained.endswith("ZeroDivisionError: division by zero\n")
    before, error = file_sink.messages(tmp_path / "sent")
    assert before == "before"
    assert error == complained.strip()


WORKING = f"""
with jobtail.job("JB_1") as emitter:
    for number in range(100):
        emitter.emit_info(str(number))
    print("ready", flush=True)
    {WAIT}
"""


def test_sigterm_ends_the_process_as_ever_after_what_waits_was_sent(tmp_path: Path) -> None:
    process = started(SLOW + WORKING, tmp_path / "sent")
    assert ended(process, signal.SIGTERM) == (-signal.SIGTERM, "", "")
    assert file_sink.messages(tmp_path / "sent") == HUNDRED
    assert file_sink.ends(tmp_path / "sent") == [("FAILED", "killed by SIGTERM")]


@pytest.mark.parametrize("name", ["SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGXCPU"])
def test_a_signal_that_nobody_handles_ends_the_job_with_the_process(tmp_path: Path, name: str) -> None:
    program = f"""{BEGIN}
import resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
capture_to_file()
with jobtail.job("JB_1"):
    os.kill(os.getpid(), signal.{name})
    {WAIT}
"""
    file_sink.run(program, tmp_path / "sent", status=-signal.Signals[name])
    assert file_sink.ends(tmp_path / "sent") == [("FAILED", f"killed by {name}")]


def test_a_signal_ends_jobs_of_all_threads_and_none_that_is_over(tmp_path: Path) -> None:
    program = f"""{BEGIN}
capture_to_file()
with jobtail.job("over"):
    pass
def work():
    with jobtail.job("thread"):
        begun.set()
        {WAIT}
begun = threading.Event()
threading.Thread(target=work, daemon=True).start()
begun.wait()
with jobtail.job("main"):
    os.kill(os.getpid(), signal.SIGTERM)
    {WAIT}
"""
    file_sink.run(program, tmp_path / "sent", status=-signal.SIGTERM)
    assert sorted(file_sink.ends(tmp_path / "sent")) == [
        ("COMPLETED", None),
        ("FAILED", "killed by SIGTERM"),
        ("FAILED", "killed by SIGTERM"),
    ]


def test_a_job_first_opened_in_the_main_thread_hears_signals_though_another_thread_configured(tmp_path: Path) -> None:
    program = f"""{BEGIN}
thread = threading.Thread(target=capture_to_file)
thread.start()
thread.join()
with jobtail.job("JB_1"):
    os.kill(os.getpid(), signal.SIGTERM)
    {WAIT}
"""
    file_sink.run(program, tmp_path / "sent", status=-signal.SIGTERM)
    assert file_sink.ends(tmp_path / "sent") == [("FAILED", "killed by SIGTERM")]


def test_a_handler_that_python_does_not_know_of_is_left_alone(tmp_path: Path) -> None:
    program = f"""{BEGIN}
import faulthandler
dump = open(os.devnull, "w")
faulthandler.register(signal.SIGUSR1, file=dump)
capture_to_file()
with dump, jobtail.job("JB_1"):
    os.kill(os.getpid(), signal.SIGUSR1)
    print("goes on")
"""
    assert file_sink.run(program, tmp_path / "sent") == "goes on\n"
    assert file_sink.ends(tmp_path / "sent") == [("COMPLETED", None)]


@pytest.mark.parametrize("before", ["pass", "with jobtail.job('JB_1'): pass"], ids=["the first job", "a later job"])
def test_a_job_of_an_exit_handler_is_kept_whole(tmp_path: Path, away: str, before: str) -> None:
    program = f"""{BEGIN}
import atexit
def late():
    with jobtail.job("JB_2") as emitter:
        emitter.emit_info("late")
atexit.register(late)
{before}
"""
    spool = tmp_path / "spool"
    status, _, _ = ended(file_sink.start(program, tmp_path, JOBTAIL_URL=away, JOBTAIL_SPOOL_DIR=str(spool)))
    assert status == 0
    assert spooled_lines(spool) == (3 if before == "pass" else 5)


@pytest.mark.parametrize("status", [0, 3])
def test_a_process_that_leaves_at_once_has_sent_what_was_captured(tmp_path: Path, status: int) -> None:
    program = f"""{BEGIN}
capture_to_file()
with jobtail.job("JB_1") as emitter:
    emitter.emit_info("said")
with jobtail.job("JB_2") as emitter:
    os._exit({status})
"""
    file_sink.run(program, tmp_path / "sent", status=status)
    assert file_sink.messages(tmp_path / "sent") == ["said"]
    assert file_sink.ends(tmp_path / "sent") == [
        ("COMPLETED", None),
        ("FAILED", f"the process left by os._exit({status})"),
    ]


def test_a_child_that_leaves_at_once_ends_its_own_jobs_and_none_of_its_parents(tmp_path: Path) -> None:
    program = f"""{BEGIN}
capture_to_file()
with jobtail.job("parent"):
    child = os.fork()
    if child == 0:
        with jobtail.job("child") as emitter:
            emitter.emit_info("said in the child")
        os._exit(0)
    os.waitpid(child, 0)
"""
    file_sink.run(program, tmp_path / "sent")
    assert file_sink.messages(tmp_path / "sent") == ["said in the child"]
    assert file_sink.ends(tmp_path / "sent") == [("COMPLETED", None), ("COMPLETED", None)]


def test_a_job_of_a_daemon_thread_ends_with_the_program(tmp_path: Path) -> None:
    program = f"""{BEGIN}
capture_to_file()
def work():
    with jobtail.job("JB_1") as emitter:
        emitter.emit_info("said")
        begun.set()
        {WAIT}
begun = threading.Event()
threading.Thread(target=work, daemon=True).start()
begun.wait()
"""
    file_sink.run(program, tmp_path / "sent")
    assert file_sink.messages(tmp_path / "sent") == ["said"]
    assert file_sink.ends(tmp_path / "sent") == [("FAILED", "the process ended before the job did")]


def test_a_job_that_is_left_to_another_process_does_not_end_with_this_one(tmp_path: Path) -> None:
    program = f"""{BEGIN}
capture_to_file()
job = jobtail.job("JB_1")
job.start()
job.leave()
"""
    file_sink.run(program, tmp_path / "sent")
    assert file_sink.ends(tmp_path / "sent") == []


def test_a_signal_that_comes_just_as_a_wait_begins_ends_the_process_all_the_same(tmp_path: Path) -> None:
    program = f"""{BEGIN}
capture_to_file()
with jobtail.job("JB_1") as emitter:
    emitter.emit_info("said")
    print("ready", flush=True)
    time.sleep(100)
"""
    for attempt in range(8):
        process = started(program, tmp_path / f"sent_{attempt}")
        assert ended(process, signal.SIGTERM) == (-signal.SIGTERM, "", "")


def test_a_signal_that_a_child_hears_is_no_signal_of_its_parents(tmp_path: Path) -> None:
    program = f"""{BEGIN}
capture_to_file()
with jobtail.job("JB_1") as emitter:
    child = os.fork()
    if child == 0:
        while True: time.sleep(0.05)
    os.kill(child, signal.SIGTERM)
    assert os.waitpid(child, 0)[1] == signal.SIGTERM
    time.sleep(0.5)
    emitter.emit_info("goes on")
"""
    file_sink.run(program, tmp_path / "sent")
    assert file_sink.messages(tmp_path / "sent") == ["goes on"]
    assert file_sink.ends(tmp_path / "sent") == [("COMPLETED", None)]


def test_sigterm_in_the_midst_of_captures_ends_the_process_too(tmp_path: Path) -> None:
    program = f"""{BEGIN}
capture_to_file()
with jobtail.job("JB_1") as emitter:
    print("ready", flush=True)
    number = 0
    while True:
        emitter.emit_info(str(number))
        number += 1
        if number % 500 == 0:
            jobtail.flush()
"""
    for attempt in range(5):
        path = tmp_path / f"sent_{attempt}"
        process = started(program, path)
        assert ended(process, signal.SIGTERM) == (-signal.SIGTERM, "", "")
        said = file_sink.messages(path)
        assert said == [str(number) for number in range(len(said))]


def test_a_handler_of_the_application_is_left_alone(tmp_path: Path) -> None:
    program = f"""{BEGIN}
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
capture_to_file(delay_s=0.3)
{WORKING}"""
    process = started(program, tmp_path / "sent")
    assert ended(process, signal.SIGTERM) == (7, "", "")
    assert file_sink.messages(tmp_path / "sent")[:100] == HUNDRED


def test_a_process_that_ignores_sigterm_goes_on_doing_so(tmp_path: Path) -> None:
    program = f"""{BEGIN}
signal.signal(signal.SIGTERM, signal.SIG_IGN)
capture_to_file()
print("ready", flush=True)
time.sleep(0.5)
"""
    process = started(program, tmp_path / "sent")
    assert ended(process, signal.SIGTERM) == (0, "", "")


def test_a_program_whose_jobs_all_run_in_other_threads_hears_signals_too(tmp_path: Path) -> None:
    program = f"""{BEGIN}
def work():
    capture_to_file()
    with jobtail.job("JB_1") as emitter:
        emitter.emit_info("said")
        begun.set()
        {WAIT}
begun = threading.Event()
threading.Thread(target=work, daemon=True).start()
begun.wait()
print("ready", flush=True)
{WAIT}
"""
    process = started(program, tmp_path / "sent")
    assert ended(process, signal.SIGTERM) == (-signal.SIGTERM, "", "")
    assert file_sink.messages(tmp_path / "sent") == ["said"]
    assert file_sink.ends(tmp_path / "sent") == [("FAILED", "killed by SIGTERM")]


@pytest.fixture
def away() -> Iterator[str]:
    """The URL of a service that is away: its port is bound, and nobody listens."""
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


@pytest.fixture
def deaf() -> Iterator[str]:
    """The URL of a service that lets one connect, and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


QUICK_S = 2.0
"""An end that waits for nobody, on a crowded machine, too; alone it takes a tenth of that."""
SPOOLING = f"""{BEGIN}
jobtail.configure(flush_s=FLUSH_S)
with jobtail.job("JB_1") as emitter:
    for number in range(100):
        emitter.emit_info(str(number))
    assert jobtail.stats().captured == 101
    print("ready", flush=True)
    THEN
print(time.monotonic(), flush=True)
"""


def spooling(then: str, flush_s: int = 20) -> str:
    return SPOOLING.replace("THEN", then).replace("FLUSH_S", str(flush_s))


def spooled_lines(directory: Path) -> int:
    """Count the lines on disk."""
    count = 0
    for path in directory.rglob("*"):
        if path.is_file() and path.read_bytes()[:6] == b"SQLite":
            with closing(sqlite3.connect(path)) as connection:
                (found,) = connection.execute("SELECT coalesce(sum(events), 0) FROM batches").fetchone()
                count += found
    return count


def test_a_process_leaves_at_once_while_the_service_is_away_and_keeps_its_lines(tmp_path: Path, away: str) -> None:
    process = started(spooling("pass"), tmp_path, JOBTAIL_URL=away, JOBTAIL_SPOOL_DIR=str(tmp_path / "spool"))
    status, said, complained = ended(process)
    left_at = time.monotonic()
    assert status == 0
    assert left_at - float(said) < QUICK_S
    assert len(complained.splitlines()) <= 1, complained
    assert spooled_lines(tmp_path / "spool") == 102


def test_sigterm_while_the_service_is_away_leaves_all_lines_on_disk(tmp_path: Path, away: str) -> None:
    program = spooling(WAIT)
    process = started(program, tmp_path, JOBTAIL_URL=away, JOBTAIL_SPOOL_DIR=str(tmp_path / "spool"))
    signalled_at = time.monotonic()
    status, _, _ = ended(process, signal.SIGTERM)
    assert status == -signal.SIGTERM
    assert time.monotonic() - signalled_at < QUICK_S
    assert spooled_lines(tmp_path / "spool") == 102


def test_a_service_that_never_answers_holds_a_process_up_for_its_bound_only(tmp_path: Path, deaf: str) -> None:
    process = started(
        spooling("pass", flush_s=1), tmp_path, JOBTAIL_URL=deaf, JOBTAIL_SPOOL_DIR=str(tmp_path / "spool")
    )
    status, said, _ = ended(process)
    assert status == 0
    assert time.monotonic() - float(said) < 1 + QUICK_S
    assert spooled_lines(tmp_path / "spool") == 102


@pytest.mark.parametrize("is_home_there", [True, False])
def test_without_a_directory_lines_are_kept_in_the_users_state_or_among_temporary_files(
    tmp_path: Path, away: str, is_home_there: bool
) -> None:
    """A home that is a file can hold no directory, whoever asks."""
    home, temporary = tmp_path / "home", tmp_path / "tmp"
    home.mkdir() if is_home_there else home.write_text("")
    temporary.mkdir()
    environment = {"HOME": str(home), "TMPDIR": str(temporary), "XDG_STATE_HOME": ""}
    process = started(spooling("pass"), tmp_path, JOBTAIL_URL=away, **environment)
    assert ended(process)[0] == 0
    assert spooled_lines(home / ".local/state/jobtail" if is_home_there else temporary) == 102


def test_sigterm_loses_nothing_of_what_was_printed(tmp_path: Path) -> None:
    program = f"""{SLOW}
with jobtail.job("JB_1", capture_output=True):
    os.system("echo from a child")
    print("half a line", end="", flush=True)
    os.write(2, b"ready\\n")
    {WAIT}
"""
    process = file_sink.start(program, tmp_path / "sent")
    assert process.stderr is not None
    assert process.stderr.readline() == "ready\n"
    status, said, _ = ended(process, signal.SIGTERM)
    assert status == -signal.SIGTERM
    assert said == "from a child\nhalf a line"
    assert sorted(file_sink.messages(tmp_path / "sent")) == ["from a child", "half a line", "ready"]
