"""The configuration of a process: settings as the environment and the file `.env` say, and where each is from."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import SettingsError

from domain.errors import InvalidInput
from graph.settings import EXAMPLE_ORIGIN, PREFIX, Settings

ENV_FILE = Path(".env")
"""Of the directory that the command runs in. The environment goes before it."""
WORKER_VARIABLES = frozenset(
    {"JOBTAIL_URL", "JOBTAIL_TOKEN", "JOBTAIL_SPOOL_DIR", "JOBTAIL_JOB_ID", "JOBTAIL_EXECUTION_ID"}
)
"""What workers are told: a service and a worker may share an environment."""
NOT_OURS = re.compile(r"JOBTAIL_TEST_\w+|JOBTAIL(_\w+)?_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_\w+)?)")
"""What tests are told, and what Kubernetes tells each container of a Service whose name begins with jobtail."""
PASSWORD = re.compile(r"(?<=://)([^:/?#@]*):[^?]*@|([?&](?:ssl)?password=)[^&]*")
HIDDEN = "***"
SECRETS = frozenset({"JOBTAIL_JWT_KEY"})
EXAMPLES = {
    "RETENTION_LEVELS": '{"debug": "7d"}',
    "TRUSTED_PROXIES": '["10.0.0.0/8"]',
    "JWT_ALGORITHMS": '["HS256"]',
    "ALLOWED_ORIGINS": f'["{EXAMPLE_ORIGIN}"]',
    "ALLOWED_HOSTS": '["jobtail.example.com"]',
}
"""Of the settings that are written as JSON."""


class Written(NamedTuple):
    """A variable that is set, and where."""

    name: str
    value: str
    source: str


class InForce(NamedTuple):
    """A setting as it holds."""

    variable: str
    value: str
    """As its variable has it; passwords and keys are hidden."""
    source: str
    """The environment, the file, or the default; with the variable where that has another name."""


def read_settings() -> Settings:
    """Read the environment, and the file `.env` of the present directory.

    Raises:
        InvalidInput: naming the first variable that is wrong, and why.
    """
    written()  # a file that cannot be read is told
    try:
        return Settings(_env_file=ENV_FILE)  # type: ignore[call-arg] # pydantic's plugin for mypy would know it
    except SettingsError as error:
        name = str(error).split('"')[1].upper()
        raise InvalidInput(
            f"{PREFIX}{name} cannot be used: it must be written as JSON, such as {EXAMPLES.get(name)}"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        variable = name if name.endswith("DATABASE_URL") else f"{PREFIX}{name.removeprefix(PREFIX)}"
        value = "" if variable in SECRETS else f"={first['input']!r}"
        raise InvalidInput(f"{variable}{value} cannot be used: {first['msg'].removeprefix('Value error, ')}") from None


def in_force(settings: Settings) -> list[InForce]:
    """List all settings, and where they are from."""
    found, listed = written(), []
    for field in Settings.model_fields:
        variable = f"{PREFIX}{field.upper()}"
        names = (variable, "DATABASE_URL") if field == "database_url" else (variable,)
        origin = next((found[name] for name in names if name in found), None)
        value = shown(getattr(settings, field), is_secret=variable in SECRETS)
        source = "default" if origin is None else origin.source
        if origin is not None and origin.name != variable:
            source = f"{source}, {origin.name}"
        listed.append(InForce(variable, value, source))
    return listed


def unknown_variables() -> list[str]:
    """Say of each variable that has no effect though its name begins as ours do, and what may be meant."""
    known = sorted(name.upper() for name in Settings.model_fields)
    said = []
    for name in sorted(written().keys() - WORKER_VARIABLES):
        own = name.removeprefix(PREFIX)
        if own != name and own not in known and not NOT_OURS.fullmatch(name):
            near = get_close_matches(own, known, n=1)
            hint = f": did you mean {PREFIX}{near[0]}?" if near else ""
            said.append(f"{name} is no setting and has no effect{hint}")
    return said


def written() -> Mapping[str, Written]:
    """Read all variables, by their names in upper case; an empty one counts as unset.

    Raises:
        InvalidInput: if there is a file `.env` that cannot be read.
    """
    of_file = {name: value or "" for name, value in _read_file().items()}
    sources = ((of_file, str(ENV_FILE)), (os.environ, "environment"))
    return {
        name.upper(): Written(name, value, source)
        for variables, source in sources
        for name, value in variables.items()
        if value
    }


def _read_file() -> Mapping[str, str | None]:
    if not ENV_FILE.is_file():
        return {}
    try:
        return dotenv_values(ENV_FILE)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{ENV_FILE.absolute()} cannot be read: {error}") from error


def shown(value: Any, *, is_secret: bool = False) -> str:
    """Write a setting as its variable has it, without what only its owner may know."""
    if value is None:
        return ""
    if is_secret:
        return HIDDEN
    if isinstance(value, list | dict | bool):
        return json.dumps(value)
    return PASSWORD.sub(_hide, str(value.value if isinstance(value, Enum) else value))


def _hide(found: re.Match[str]) -> str:
    user, option = found.groups()
    return f"{user}:{HIDDEN}@" if option is None else f"{option}{HIDDEN}"
