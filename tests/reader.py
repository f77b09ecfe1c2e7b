"""A reader of a page: types its commands, as they stand, in a directory of their own and an environment with only Python."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.apps.running import soon
from tests.conftest import ROOT

FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"Here it is `([\w.]+)`:\s*$")
INSTALL_S = 300
END_S = 5
SERVERS = {
    "celery --app": "ready.",
    "procrastinate --app shop.app worker": "Starting worker",
    "taskiq worker": "Listening started",
    "taskiq scheduler": "Starting",
    "jobtail-server serve": "Jobtail is up",
    "make run": "Jobtail is up",
}
"""Commands that run until they are ended, each with what it says once it is ready."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page that its reader types, or saves as a file."""

    language: str
    text: str
    file: str | None

    @property
    def ready(self) -> str | None:
        """What the command says when it is ready, if it runs until it is ended."""
        return next((ready for command, ready in SERVERS.items() if command in self.text), None)


def steps(page: str) -> list[Block]:
    """List the commands and the programs of a page in their order."""
    text = (ROOT / page).read_text("utf-8")
    return [
        Block(found[2], textwrap.dedent(found[3]), named[1] if (named := FILE.search(text[: found.start()])) else None)
        for found in FENCE.finditer(text)
        if found[2] in {"sh", "python"}
    ]


class Reader:
    """Types one block after the other, as into one terminal: what a block exports and assigns is there for the next."""

    def __init__(self, directory: Path, elsewhere: Mapping[str, str], **environment: str) -> None:
        """`elsewhere` says what stands for the addresses and places that the page names."""
        self.directory, self.elsewhere = directory, dict(elsewhere)
        self._kept = directory / ".environment"
        places = [directory / "bin", directory / "venv/bin", *("/usr/local/bin", "/usr/bin", "/bin")]
        self._environment = {
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_") or name in _OF_THE_MACHINE},
            "PATH": os.pathsep.join(map(str, places)),
            "XDG_STATE_HOME": str(directory / "state"),
            **environment,
        }

    def has(self, **environment: str) -> None:
        """Have further variables in the environment."""
        self._environment.update(environment)

    def has_a_checkout(self, part: str = ".") -> None:
        """Have the files of the repository or of a part of it, with the pages if they are built."""
        names = subprocess.run(["git", "ls-files", "-z", part], cwd=ROOT, capture_output=True, check=True).stdout
        for name in filter(None, names.decode().split("\0")):
            if (ROOT / name).is_file():
                (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.directory / name)
        if part == "." and (ROOT / "graph/static").is_dir():
            shutil.copytree(ROOT / "graph/static", self.directory / "graph/static")

    def has_an_environment(self) -> None:
        """Have an empty virtual environment, as `python3 -m venv` makes it."""
        subprocess.run([sys.executable, "-m", "venv", self.directory / "venv"], check=True, timeout=INSTALL_S)

    def follow(self, block: Block) -> str:
        """Do what a block says and tell what it printed. Programs are saved where the page says, and else run."""
        if block.file:
            (self.directory / block.file).write_text(self._here(block.text), "utf-8")
            return ""
        if block.language == "python":
            return self._run(f"python - <<'PROGRAM'\n{block.text}PROGRAM")
        return self._run(block.text)

    @contextmanager
    def started(self, block: Block) -> Iterator[Path]:
        """Run a command in a terminal of its own until the end of the context. Yields its output's file."""
        assert block.ready is not None
        output = self.directory / f"{abs(hash(block.text))}.log"
        with output.open("w") as stream:
            process = subprocess.Popen(
                self._typed(block.text),
                cwd=self.directory,
                env=self._environment,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        try:
            ready = block.ready
            soon(lambda: ready in output.read_text() or process.poll() is not None, timeout_s=INSTALL_S)
            assert process.poll() is None, output.read_text()
            yield output
        finally:
            _end(process)

    def _run(self, command: str) -> str:
        done = subprocess.run(
            self._typed(command, f"export -p > '{self._kept}'"),
            cwd=self.directory,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout

    def _typed(self, command: str, afterwards: str = "") -> list[str]:
        kept = f". '{self._kept}'" if self._kept.exists() else ""
        lines = ("set -o allexport -o pipefail", kept, self._here(command), afterwards)
        return ["bash", "-euc", "\n".join(filter(None, lines))]

    def _here(self, text: str) -> str:
        there = "|".join(map(re.escape, sorted(self.elsewhere, key=len, reverse=True)))
        return re.sub(there, lambda found: self.elsewhere[found[0]], text) if there else text


def _end(terminal: subprocess.Popen[bytes]) -> None:
    """Close a terminal: programs in it are asked to end, and ended if they do not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(terminal.pid, number)
        with suppress(subprocess.TimeoutExpired):
            terminal.wait(END_S)


_OF_THE_MACHINE = {"HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy"}
