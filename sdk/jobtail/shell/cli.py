"""The command line of `jobtail`: what may be written, and where each command begins."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

from jobtail.events import LogLevel
from jobtail.shell.command_job import CommandJob
from jobtail.shell.exits import PROGRAM, Exit
from jobtail.shell.run import run

DEFAULT_URL = "http://127.0.0.1:8820"
RUN_EPILOG = """
in a crontab:
  15 3 * * *  jobtail run --schedule nightly-backup -- /usr/local/bin/backup --all

The exit status is the command's; 128 and the signal's number if a signal killed it, 126 if it cannot be executed,
127 if it is not found.
"""
TAIL_EPILOG = f"""
exit status:
  {Exit.COMPLETED:<4} the job completed, or still runs with --no-follow
  {Exit.FAILED:<4} the job failed
  {Exit.CANCELLED:<4} the job was cancelled
  {Exit.USAGE:<4} the command line is wrong
  {Exit.NO_SERVICE:<4} there is no service, or it refuses
  {Exit.NO_JOB:<4} there is no such job (with --no-follow)
  {Exit.INTERRUPTED:<4} Ctrl-C
"""
FLUSH_EPILOG = f"""
exit status:
  {Exit.COMPLETED:<4} nothing is left, or only what processes that still run will send
  {Exit.FAILED:<4} what waits cannot be read
  {Exit.USAGE:<4} the command line is wrong
  {Exit.NO_SERVICE:<4} there is no service, or it refuses
  {Exit.INTERRUPTED:<4} Ctrl-C
"""


def main() -> None:
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: Sequence[str]) -> int:
    """Understand the command line and do what it says. Gives the exit status."""
    arguments, command = _split_command(arguments)
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.act == "run" and not command:
        chosen.parser.error("there is no command; write it behind --")
    if chosen.act != "run" and command is not None:
        parser.error(f"{chosen.act} takes no command")
    url, token = chosen.url or os.environ.get("JOBTAIL_URL") or DEFAULT_URL, chosen.token
    if chosen.act == "run":
        return run(_command_job(chosen, command or []), url, token, use_pty=chosen.pty)
    if chosen.act == "flush":
        return _flush(url, token or os.environ.get("JOBTAIL_TOKEN"))
    return _tail(chosen, url, token or os.environ.get("JOBTAIL_TOKEN"))


def _split_command(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str] | None]:
    """Part our own arguments from the command, which may have any."""
    if "--" not in arguments:
        return arguments, None
    end = list(arguments).index("--")
    return arguments[:end], arguments[end + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Capture what jobs say, and read it as they say it.")
    parser.add_argument("--version", action=_ShowVersion, nargs=0, help="show the version and end")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(commands)
    _add_tail(commands)
    _add_flush(commands)
    return parser


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "run",
        help="run a command and capture its output",
        usage=f"{PROGRAM} run [OPTION ...] -- CMD [ARGUMENT ...]",
        description="Run a command as if it stood alone, and capture what it prints, line by line, while it runs.",
        epilog=RUN_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(act="run", parser=parser)
    parser.add_argument("--job", metavar="ID", help="the job's id; by default the command's name, the time and chance")
    parser.add_argument("--stage", metavar="S", help="the stage that the lines belong to; by default `main`")
    parser.add_argument("--handler", metavar="NAME", help="what kind of job it is; by default the command's name")
    parser.add_argument("--source", default="shell", metavar="S", help="what asked for it; by default `shell`")
    parser.add_argument("--parent", metavar="ID", help="the job that started this one (JOBTAIL_JOB_ID)")
    parser.add_argument("--execution", metavar="ID", help="the execution that it belongs to (JOBTAIL_EXECUTION_ID)")
    parser.add_argument("--schedule", metavar="ID", help="the schedule that started it, which makes it an execution")
    parser.add_argument(
        "--pty",
        action=argparse.BooleanOptionalAction,
        help="let the command print to a pseudo-terminal, or to pipes; by default what our own output is",
    )
    _add_service(parser)


def _command_job(chosen: argparse.Namespace, command: Sequence[str]) -> CommandJob:
    return CommandJob(
        command=command,
        job_id=chosen.job,
        stage=chosen.stage,
        handler_name=chosen.handler,
        source=chosen.source,
        parent_job_id=chosen.parent,
        execution_id=chosen.execution,
        schedule_id=chosen.schedule,
    )


def _add_tail(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "tail",
        help="show a job's lines, and go on as it says more",
        description="Show a job's lines, from the first one on, and go on as it says more, until it ends.",
        epilog=TAIL_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(act="tail")
    parser.add_argument("job", metavar="JOB", help="the job's id")
    parser.add_argument(
        "--level", type=_level, metavar="L", help="only lines of this level or a graver one, in any case"
    )
    parser.add_argument("--stage", metavar="S", help="only lines of this stage")
    parser.add_argument("--task", metavar="T", help="only lines of this task")
    parser.add_argument("--since-line", type=_line_number, default=1, metavar="N", help="from line N on")
    parser.add_argument("--no-follow", action="store_true", help="end where the log ends now")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    _add_service(parser)


def _add_service(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--url", type=_service_url, metavar="U", help=f"where the service is (JOBTAIL_URL, {DEFAULT_URL})"
    )
    parser.add_argument(
        "--token", metavar="T", help="a token of the service (better: JOBTAIL_TOKEN, which `ps` shows to nobody)"
    )


def _tail(chosen: argparse.Namespace, url: str, token: str | None) -> int:
    from jobtail.shell.follow import TailRequest, tail  # noqa: PLC0415 - `run` starts sooner without it

    request = TailRequest(
        job_id=chosen.job,
        min_level=chosen.level,
        stage=chosen.stage,
        task_id=chosen.task,
        since_line=chosen.since_line,
        follow=not chosen.no_follow,
        as_json=chosen.json,
    )
    return tail(request, url, token)


def _add_flush(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "flush",
        help="send the lines that wait on this machine",
        description="Send the lines that processes which are gone have left on this machine while the service was away.",
        epilog=FLUSH_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(act="flush")
    _add_service(parser)


def _flush(url: str, token: str | None) -> int:
    from jobtail.shell.flush import flush  # noqa: PLC0415 - `run` starts sooner without it

    return flush(url, token)


class _ShowVersion(argparse.Action):
    """Looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415 - `run` starts sooner without it

        sys.stdout.write(f"{PROGRAM} {version('jobtail')}\n")
        parser.exit()


def _level(name: str) -> LogLevel:
    try:
        return LogLevel[name.upper()]
    except KeyError:
        names = ", ".join(level.name.lower() for level in LogLevel)
        raise argparse.ArgumentTypeError(f"{name!r} is none of {names}") from None


def _line_number(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number < 2**53:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of a line: the first one is 1")
    return number


def _service_url(text: str) -> str:
    if urlsplit(text).scheme not in {"http", "https"} or not urlsplit(text).hostname:
        raise argparse.ArgumentTypeError(f"{text!r} is no address such as {DEFAULT_URL}")
    return text
