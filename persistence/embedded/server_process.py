"""The server's process, which ends with its owner, also when that is killed with -9.

On Linux by the parent death signal, which is bound to the thread that started the server, so it is used from the main
thread only; elsewhere, and from other threads, a small guard process stays between the two and watches a pipe.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from persistence.embedded.server_account import Account

_LINUX = sys.platform == "linux"

STOP_REQUESTS = ((signal.SIGINT, 3.0), (signal.SIGQUIT, 2.0))
"""How a server is asked to end, and how many seconds it has for that: by a fast shutdown, then by an immediate one, from
which the next start recovers. Then it is killed."""


@dataclass(slots=True)
class ServerProcess:
    """A process in a session of its own (Ctrl-C reaches the owner alone) that ends with its owner."""

    process: asyncio.subprocess.Process
    lifeline: int
    """The end of a pipe that closes when the owner ends; -1 when closed."""

    @classmethod
    async def start(cls, command: Sequence[str], account: Account | None, log: int, descriptors: Sequence[int]) -> Self:
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
        for number, patience_s in STOP_REQUESTS:
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


def ending(code: int) -> str:
    """Say how a process ended, by its return code."""
    return f"signal {-code}" if code < 0 else f"code {code}"
