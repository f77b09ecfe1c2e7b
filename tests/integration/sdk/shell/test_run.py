"""`jobtail run`: the command behaves as if it stood alone, and its output is in the log."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client import PATIENCE_S, Api, new_job_id
from tests.conftest import Service
from tests.shell import JOBTAIL, SHELL, at_terminal, environment, jobtail, read_until, running, wait_until

NOBODY = "http://127.0.0.1:9"
RUN = " ".join(JOBTAIL) + " run"
FLOOD = 1_000_000


@pytest.fixture(autouse=True)
def _own_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def api(shared_service: Service) -> Iterator[Api]:
    with Api(shared_service) as api:
        yield api


def logged(api: Api, job_id: str) -> Any:
    query = """
    query ($jobId: String!) {
      job(jobId: $jobId) {
        status error handlerName source metadata parent { jobId } execution { executionId scheduleId }
        logs(first: 1000) { nodes { message stage level metadata } }
      }
    }
    """
    return api.ask(query, jobId=job_id)["job"]


def messages(api: Api, job_id: str) -> list[str]:
    job = logged(api, job_id)
    return [line["message"] for line in job["logs"]["nodes"]] if job else []


def unread(descriptor: int) -> int:
    """Tell how many bytes a pipe holds."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


def python(program: str) -> tuple[str, ...]:
    return ("--", sys.executable, "-c", program)


def test_a_command_is_a_job_with_its_lines_and_their_streams(api: Api) -> None:
    job_id = new_job_id()
    done = jobtail(
        api.service.url,
        "run",
        "--job",
        job_id,
        "--stage",
        "load",
        "--",
        "sh",
        "-c",
        "echo one; sleep 0.1; echo two >&2",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"one\n", b"two\n")
    job = logged(api, job_id)
    assert (job["status"], job["error"], job["handlerName"], job["source"]) == ("COMPLETED", None, "sh", "shell")
    assert [
        (line["message"], line["stage"], line["level"], line["metadata"]["stream"]) for line in job["logs"]["nodes"]
    ] == [("one", "load", "INFO", "stdout"), ("two", "load", "INFO", "stderr")]
    assert job["metadata"]["command"] == ["sh", "-c", "echo one; sleep 0.1; echo two >&2"]
    assert job["metadata"]["cwd"] == str(Path.cwd())
    assert {"host", "user"} < set(job["metadata"])


def test_a_job_is_named_after_its_command_unless_told(api: Api) -> None:
    done = jobtail(
        api.service.url, "run", "--handler", "h", "--source", "cron", "--", "/bin/sh", "-c", "echo $JOBTAIL_JOB_ID"
    )
    job_id = done.stdout.decode().strip()
    assert re.fullmatch(r"sh-\d{8}T\d{6}Z-[0-9a-f]{6}", job_id)
    job = logged(api, job_id)
    assert (job["handlerName"], job["source"]) == ("h", "cron")


def test_a_run_within_a_run_knows_its_parent_and_its_execution(api: Api) -> None:
    outer, inner = new_job_id(), new_job_id()
    told = '"$JOBTAIL_JOB_ID $JOBTAIL_EXECUTION_ID $JOBTAIL_URL"'
    done = jobtail(
        "",
        *("run", "--url", api.service.url, "--job", outer, "--schedule", "nightly", "--execution", "E_1"),
        *("--", "sh", "-c", f"echo {told}; {RUN} --job {inner} -- sh -c 'echo {told}'"),
    )
    assert done.stdout.decode().splitlines() == [f"{outer} E_1 {api.service.url}", f"{inner} E_1 {api.service.url}"]
    assert logged(api, outer)["execution"] == {"executionId": "E_1", "scheduleId": "nightly"}
    assert logged(api, inner)["parent"] == {"jobId": outer}
    assert logged(api, inner)["execution"]["executionId"] == "E_1"


@pytest.mark.parametrize(
    ("program", "status", "error"),
    [
        ("exit 3", 3, "exit status 3"),
        ("kill -KILL $$", -signal.SIGKILL, "killed by SIGKILL"),
        ("kill -TERM $$", -signal.SIGTERM, "killed by SIGTERM"),
        ("kill -ABRT $$", -signal.SIGABRT, "killed by SIGABRT"),
    ],
)
@pytest.mark.parametrize("option", ["--pty", "--no-pty"])
def test_it_ends_as_the_command_did(api: Api, program: str, status: int, error: str, option: str) -> None:
    job_id = new_job_id()
    done = jobtail(api.service.url, "run", "--job", job_id, option, "--", "sh", "-c", f"echo last words; {program}")
    assert (done.returncode, done.stdout, done.stderr) == (status, b"last words\n", b"")
    job = logged(api, job_id)
    assert (job["status"], job["error"], messages(api, job_id)) == ("FAILED", error, ["last words"])


def test_a_command_that_cannot_start_says_why_and_is_a_failed_job(api: Api, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    orphan = tmp_path / "orphan"
    orphan.write_text("#!/no/such/interpreter\n")
    orphan.chmod(0o755)
    for command, status, reason in (
        ("no-such-command", 127, "no-such-command: command not found"),
        (str(plain), 126, f"{plain}: cannot be executed: Permission denied"),
        (str(tmp_path), 126, f"{tmp_path}: cannot be executed: Permission denied"),
        (str(orphan), 127, f"{orphan}: the interpreter that its first line names is not found"),
    ):
        job_id = new_job_id()
        done = jobtail(api.service.url, "run", "--job", job_id, "--", command)
        assert (done.returncode, done.stdout, done.stderr.decode()) == (status, b"", f"jobtail: {reason}\n")
        job = logged(api, job_id)
        assert (job["status"], job["error"]) == ("FAILED", reason)


@pytest.mark.parametrize("arguments", [[], ["--"], ["ls"]])
def test_without_a_command_there_is_a_usage(arguments: list[str]) -> None:
    done = jobtail(NOBODY, "run", *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"usage: jobtail ")


def test_help_has_an_example_for_cron() -> None:
    done = jobtail(NOBODY, "run", "--help")
    assert done.returncode == 0
    assert b"in a crontab:\n  15 3 * * *  jobtail run " in done.stdout


def test_output_passes_byte_for_byte_and_is_captured_readably(api: Api) -> None:
    job_id = new_job_id()
    said = b"\x00\xff\xfe\r\n\x1b[31mred\x1b[0m\n10%\r20%\n\n  \xc3\xa4 no end"
    done = jobtail(api.service.url, "run", "--job", job_id, *python(f"import sys; sys.stdout.buffer.write({said!r})"))
    assert (done.stdout, done.stderr) == (said, b"")
    assert messages(api, job_id) == ["\u2400\\xff\\xfe", "\x1b[31mred\x1b[0m", "10%\r20%", "", "  ä no end"]


def test_a_megabyte_of_noise_passes_unchanged_by_pipe_file_and_pseudo_terminal(api: Api, tmp_path: Path) -> None:
    noise = tmp_path / "noise"
    noise.write_bytes(os.urandom(1 << 20))
    for option in ("--no-pty", "--pty"):
        assert jobtail(api.service.url, "run", option, "--", "cat", str(noise)).stdout == noise.read_bytes()
        with (tmp_path / "copy").open("wb") as copy:
            subprocess.run(
                [*JOBTAIL, "run", option, "--", "cat", str(noise)],
                env=environment(api.service.url),
                stdout=copy,
                check=True,
                timeout=PATIENCE_S,
            )
        assert (tmp_path / "copy").read_bytes() == noise.read_bytes()


def test_a_prompt_without_an_end_appears_at_once_and_stdin_is_the_commands() -> None:
    with running(
        NOBODY, "run", "--", "sh", "-c", 'printf "Name? "; read name; echo "Hello $name"', stdin=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        assert read_until(run.stdout.fileno(), lambda heard: b"? " in heard) == b"Name? "
        out, _ = run.communicate(b"Ada\n", timeout=PATIENCE_S)
        assert out == b"Hello Ada\n"


def test_lines_are_in_the_log_while_the_command_runs(api: Api) -> None:
    job_id = new_job_id()
    with running(
        api.service.url,
        "run",
        "--job",
        job_id,
        "--",
        "sh",
        "-c",
        "echo one; read wait; echo two",
        stdin=subprocess.PIPE,
    ) as run:
        wait_until(lambda: messages(api, job_id) == ["one"])
        assert logged(api, job_id)["status"] == "RUNNING"
        run.communicate(b"\n", timeout=PATIENCE_S)
    assert messages(api, job_id) == ["one", "two"]


def test_a_stream_whose_reader_is_slow_holds_up_no_other_and_no_signal() -> None:
    program = """
import signal, sys, threading, time
signal.signal(signal.SIGTERM, lambda *_: (print("heard", file=sys.stderr, flush=True), sys.exit(7)))
def flood():
    sys.stdout.write("x" * 1_000_000)
    sys.stdout.flush()
threading.Thread(target=flood, daemon=True).start()
print("aside", file=sys.stderr, flush=True)
while True:
    time.sleep(0.01)
"""
    with running(NOBODY, "run", *python(program)) as run:
        assert run.stderr is not None
        assert run.stdout is not None
        assert read_until(run.stderr.fileno(), lambda heard: b"\n" in heard) == b"aside\n"
        out = run.stdout.fileno()
        wait_until(lambda: unread(out) > 60_000)
        os.read(out, 8192)  # room for some of what waits, not for all
        wait_until(lambda: unread(out) > 60_000)
        run.send_signal(signal.SIGTERM)
        assert read_until(run.stderr.fileno(), lambda heard: b"\n" in heard) == b"heard\n"


def test_a_reader_that_leaves_ends_the_command_as_it_would_have() -> None:
    done = subprocess.run(
        ["bash", "-c", f'{RUN} -- yes | head -2; echo "${{PIPESTATUS[0]}}"'],
        env=environment(NOBODY),
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout == b"y\ny\n141\n"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"])
@pytest.mark.parametrize("option", ["--pty", "--no-pty"])
def test_a_signal_is_handed_to_the_command_once(name: str, option: str) -> None:
    program = f"""
import signal, time
count = 0
def hear(*_):
    global count
    count += 1
    print("heard", count, flush=True)
signal.signal(signal.{name}, hear)
print("ready", flush=True)
while not count:
    time.sleep(0.01)
time.sleep(0.2)
raise SystemExit(40 + count)
"""
    with running(NOBODY, "run", option, *python(program)) as run:
        assert run.stdout is not None
        read_until(run.stdout.fileno(), lambda heard: b"ready\n" in heard)
        run.send_signal(getattr(signal, name))
        out, _ = run.communicate(timeout=PATIENCE_S)
        assert (out, run.returncode) == (b"heard 1\n", 41)


def test_what_a_command_leaves_behind_is_waited_for_a_moment(api: Api) -> None:
    job_id = new_job_id()
    started = time.monotonic()
    done = jobtail(
        api.service.url, "run", "--job", job_id, "--", "sh", "-c", "(sleep 0.5; echo late; sleep 60) & echo early"
    )
    assert (done.returncode, done.stdout) == (0, b"early\nlate\n")
    assert 2 <= time.monotonic() - started < 10
    assert messages(api, job_id) == ["early", "late"]
    assert logged(api, job_id)["status"] == "COMPLETED"


def test_descriptors_and_the_usual_meaning_of_sigpipe_are_the_commands() -> None:
    done = subprocess.run(
        ["bash", "-c", f'{RUN} -- bash -c "echo three >&3; yes | head -1; echo \\${{PIPESTATUS[0]}}" 3>&1 >&2'],
        env=environment(NOBODY),
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout == b"three\n"
    assert done.stderr.startswith(b"y\n141\n")


def test_standard_streams_may_be_closed() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{RUN} -- sh -c 'echo out; echo err >&2; exit 5' <&- >&-"],
        env=environment(NOBODY),
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 5
    assert done.stderr.startswith(b"err\n")


def test_at_a_terminal_the_command_has_one_of_the_same_size(api: Api) -> None:
    job_id = new_job_id()
    program = """
import os, signal, sys, time
size = os.get_terminal_size
resized = []
signal.signal(signal.SIGWINCH, lambda *_: (print("now", *size(), flush=True), resized.append(1)))
print([os.isatty(each) for each in range(3)], *size(), flush=True)
while not resized:
    time.sleep(0.01)
print("\\x1b[32mdone\\x1b[0m")
"""
    with at_terminal(api.service.url, [*JOBTAIL, "run", "--job", job_id, *python(program)]) as screen:
        screen.see("[True, True, True] 100 30\r\n")
        screen.resize(40, 120)
        screen.see("now 120 40\r\n")
        assert screen.ended() == 0
    lines = logged(api, job_id)["logs"]["nodes"]
    assert [line["message"] for line in lines][-1] == "\x1b[32mdone\x1b[0m"
    assert {line["metadata"]["stream"] for line in lines} == {"terminal"}


def test_keys_reach_the_command_and_the_terminal_is_given_back() -> None:
    with at_terminal(NOBODY, [*SHELL]) as screen:
        screen.type(f'{RUN} -- sh -c \'printf "Name%s" "? "; read name; echo "Hello $name"\'\n')
        screen.see("Name? ")
        assert screen.is_raw
        screen.type("Ada\n")
        screen.see("Hello Ada\r\n")
        screen.see("$ ")
        screen.type("stty -a | grep -o ' icanon'; echo a$((1+1))c\n")
        screen.see(" icanon\r\n")
        screen.see("a2c\r\n")


@pytest.mark.parametrize("option", ["--pty", "--no-pty"])
def test_ctrl_c_reaches_the_command_once(option: str) -> None:
    program = """
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
print("ready", flush=True)
heard = 0
while signal.sigtimedwait([signal.SIGINT], 1 if heard else 60):
    heard += 1
print("heard", heard, flush=True)
raise SystemExit(9)
"""
    with at_terminal(NOBODY, [*JOBTAIL, "run", option, *python(program)]) as screen:
        screen.see("ready\r\n")
        screen.type("\x03")
        screen.see("heard 1\r\n")
        assert screen.ended() == 9


@pytest.mark.parametrize("option", ["--pty", "--no-pty"])
def test_ctrl_z_stops_the_command_and_fg_goes_on(option: str, tmp_path: Path) -> None:
    ticks = tmp_path / "ticks"
    program = f"while true; do echo tick >> {ticks}; sleep 0.02; done & echo begun; read line; echo got $line; kill $!"
    with at_terminal(NOBODY, [*SHELL]) as screen:
        screen.type(f"{RUN} {option} -- sh -c '{program}'\n")
        screen.see("begun\r\n")
        wait_until(lambda: ticks.exists() and ticks.stat().st_size > 50)
        screen.type("\x1a")
        screen.see("Stopped")
        screen.see("$ ")
        screen.type("echo a$((1+1))c\n")
        screen.see("a2c\r\n")
        stood = ticks.stat().st_size
        time.sleep(0.2)
        assert ticks.stat().st_size == stood
        screen.type("fg\n")
        wait_until(lambda: ticks.stat().st_size > stood)
        screen.type("more\n")
        screen.see("got more\r\n")
        screen.see("$ ")


def test_in_the_background_of_a_terminal_it_runs_on() -> None:
    with at_terminal(NOBODY, [*SHELL]) as screen:
        screen.type(f"{RUN} -- sh -c 'sleep 0.3; echo a$((1+1))c' &\n")
        screen.see("a2c\r")
        screen.see("Connection refused")
        screen.type("wait; echo b$((1+1))d\n")
        screen.see("b2d\r\n")


def test_a_stream_that_is_no_terminal_stays_none(api: Api, tmp_path: Path) -> None:
    program = "import os, sys; print([os.isatty(each) for each in range(3)]); print('oops', file=sys.stderr)"
    errors = tmp_path / "errors"
    job_id = new_job_id()
    with at_terminal(api.service.url, [*JOBTAIL, "run", "--job", job_id, *python(program)], stderr=errors) as screen:
        screen.see("[True, True, False]\r\n")
        assert screen.ended() == 0
    assert errors.read_text() == "oops\n"
    streams = {line["message"]: line["metadata"]["stream"] for line in logged(api, job_id)["logs"]["nodes"]}
    assert streams == {"[True, True, False]": "terminal", "oops": "stderr"}
    with at_terminal(NOBODY, ["bash", "-c", f'{RUN} -- {sys.executable} -c "{program}" 2>/dev/null | cat']) as screen:
        screen.see("[True, False, False]\r\n")


@pytest.mark.parametrize("option", ["--pty", "--no-pty"])
@pytest.mark.parametrize(("key", "number"), [("\x03", signal.SIGINT), ("\x1c", signal.SIGQUIT)])
def test_a_key_that_ends_the_command_ends_the_script_around_it(option: str, key: str, number: int) -> None:
    script = f"for i in 1 2; do {RUN} {option} -- sh -c 'echo round; exec sleep 60'; done; echo finished"
    with at_terminal(NOBODY, ["bash", "-c", script]) as screen:
        screen.see("round\r\n")
        screen.type(key)
        if number == signal.SIGINT:
            assert screen.ended() == -number
            assert b"round" not in screen.seen[screen.seen.index(b"round") + 5 :]
            assert b"finished" not in screen.seen
        else:  # which a shell itself ignores
            screen.see("round\r\n")


def test_ctrl_c_ends_the_others_of_a_pipeline_too() -> None:
    with at_terminal(NOBODY, ["bash", "-c", f"sleep 60 | {RUN} -- sh -c 'echo ready; exec cat'"]) as screen:
        screen.see("ready\r\n")
        wait_until(lambda: screen.is_raw)
        screen.type("\x03")
        assert screen.ended() == -signal.SIGINT


def test_two_streams_that_are_one_keep_their_order(api: Api, tmp_path: Path) -> None:
    program = "for i in 1 2 3 4 5 6 7 8 9; do echo out$i; echo err$i >&2; done"
    expected = [f"{name}{number}" for number in range(1, 10) for name in ("out", "err")]
    log = tmp_path / "log"
    for redirection in ("2>&1", f">{log} 2>&1", f">>{log} 2>>{log}"):
        log.write_bytes(b"")
        job_id = new_job_id()
        done = subprocess.run(
            ["sh", "-c", f'{RUN} --job {job_id} -- sh -c "$0" {redirection}', program],
            env=environment(api.service.url),
            stdout=subprocess.PIPE,
            timeout=PATIENCE_S,
            check=True,
        )
        assert (done.stdout + log.read_bytes()).decode().split() == expected
        lines = logged(api, job_id)["logs"]["nodes"]
        assert [line["message"] for line in lines] == expected
        assert {line["metadata"]["stream"] for line in lines} == {"output"}


def test_a_script_that_names_no_interpreter_is_run_as_shells_do(tmp_path: Path) -> None:
    script, junk = tmp_path / "script", tmp_path / "junk"
    script.write_text('echo "$1 of $0"; exit 4\n')
    junk.write_bytes(b"\x7fEL\0\1\2")
    script.chmod(0o755)
    junk.chmod(0o755)
    for name in (str(script), script.name):
        done = jobtail(NOBODY, "run", "--", name, "one", PATH=f"{tmp_path}:{os.environ['PATH']}")
        assert (done.returncode, done.stdout) == (4, f"one of {script}\n".encode())
    refused = jobtail(NOBODY, "run", "--", str(junk))
    assert refused.returncode == 126
    assert b"Exec format error" in refused.stderr


def test_where_there_is_no_terminal_to_be_had_the_command_prints_to_pipes() -> None:
    program = f"mount -t tmpfs none /dev/pts && exec {RUN} \"$@\" -- sh -c '[ -t 1 ]; echo $?'"
    within = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"]), "sh", "-c", program, "sh"]
    for option in ([], ["--pty"]):
        done = subprocess.run(
            [*within, *option], env=environment(NOBODY), capture_output=True, timeout=PATIENCE_S, check=False
        )
        if b"unshare" in done.stderr or b"mount:" in done.stderr:
            pytest.skip("this machine lets nobody make a namespace")
        assert (done.returncode, done.stdout) == (0, b"1\n")
        assert (b"there is no pseudo-terminal" in done.stderr) == bool(option)


def test_as_the_first_process_it_keeps_no_zombies_and_dies_of_no_signal() -> None:
    script = """
    for i in 1 2 3; do (sleep 0.1 &); done
    while grep -q "(sleep)" /proc/[0-9]*/stat; do kill -0 $$; done 2>/dev/null
    cat /proc/[0-9]*/stat | grep -c ") Z "; kill -TERM $$
    """
    within = ["unshare", *([] if os.getuid() == 0 else ["--map-root-user"]), "--pid", "--fork", "--mount-proc"]
    done = subprocess.run(
        [*within, *JOBTAIL, "run", "--", "sh", "-c", script],
        env=environment(NOBODY),
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if b"unshare" in done.stderr:
        pytest.skip("this machine lets nobody make a namespace")
    assert (done.returncode, done.stdout) == (143, b"0\n")


def seconds_to_the_last_line(*command: str) -> float:
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment(NOBODY), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = 0
    while said < FLOOD and (data := os.read(process.stdout.fileno(), 1 << 20)):
        said += data.count(b"\n")
    taken_s = time.perf_counter() - began
    process.kill()
    process.communicate()
    assert said == FLOOD
    return taken_s


def test_a_flood_passes_about_as_quickly_as_through_the_script_command(capsys: pytest.CaptureFixture[str]) -> None:
    command = f"seq 1 {FLOOD}"
    theirs, ours = [], []
    for _ in range(3):
        theirs.append(seconds_to_the_last_line("script", "-qc", command, "/dev/null"))
        ours.append(seconds_to_the_last_line(*JOBTAIL, "run", "--", "sh", "-c", command))
    ratio = min(ours) / min(theirs)
    with capsys.disabled():
        print(f"\n`{command}` takes {ratio:.1f} times as long as through script(1)")  # noqa: T201 - the figure is what one wants to know
    assert ratio < 3


def test_the_capture_may_die_and_the_command_notices_nothing() -> None:
    with running(
        NOBODY, "run", "--", "sh", "-c", "echo $PPID; read go; seq 1 60000; exit 3", stdin=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        parent = int(read_until(run.stdout.fileno(), lambda heard: heard.endswith(b"\n")))
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        (capture,) = [int(each) for each in children if b"jobtail" in Path(f"/proc/{each}/cmdline").read_bytes()]
        os.kill(capture, signal.SIGKILL)
        out, errors = run.communicate(b"\n", timeout=PATIENCE_S)
    assert (run.returncode, out.split()[-1], out.count(b"\n")) == (3, b"60000", 60_000)
    assert errors == b"jobtail: the capture was killed by SIGKILL; what the command printed is not all captured\n"


def test_a_private_key_is_masked_line_by_line(api: Api) -> None:
    job_id = new_job_id()
    begin, end = "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"
    key = "\n".join([begin, *["MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 2] * 3, end, ""])
    done = jobtail(api.service.url, "run", "--job", job_id, "--", "printf", "%s", key)
    assert done.stdout.decode() == key
    assert messages(api, job_id) == [begin, "***", "***", "***", end]


def test_secrets_are_masked_in_the_log_and_untouched_on_the_way(api: Api) -> None:
    job_id = new_job_id()
    done = jobtail(
        api.service.url, "run", "--job", job_id, "--", "echo", "Authorization: Bearer abcdefghijklmnop0123456789"
    )
    assert b"abcdefghijklmnop0123456789" in done.stdout
    assert "abcdefghijklmnop0123456789" not in json.dumps(logged(api, job_id))
