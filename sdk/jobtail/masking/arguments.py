"""Lists and records of metadata in which the name of a secret stands beside its value: command lines, pairs, settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jobtail.masking.secret_names import is_secret_under, names_a_secret
from jobtail.masking.written_forms import is_secret_pair

MASK = "***"

_PASSWORD_OPTIONS = {
    "sshpass": "-p",
    "docker": "-p",
    "podman": "-p",
    "mysql": "-p",
    "mysqldump": "-p",
    "mysqladmin": "-p",
    "mariadb": "-p",
    "mongosh": "-p",
    "mongodump": "-p",
    "redis-cli": "-a",
    "smbclient": "-U",
    "curl": "-u",
    "wget": "-u",
}
"""Short options that are those of a password with these programs alone."""
_ATTACHED = frozenset({"mysql", "mysqldump", "mysqladmin", "mariadb", "sshpass", "redis-cli"})
"""Programs that take it in the same word: `-phunter2`."""
_USER_AND_PASSWORD = frozenset({"-u", "-U", "--user", "--proxy-user"})
_LABELS = ("name", "key", "header", "Name", "Key", "Header")
_VALUES = ("value", "Value")


def masked_items(items: Sequence[Any]) -> Iterator[tuple[int, str]]:
    """Tell which items of a list are secrets by those before them, and what stands in their place."""
    if len(items) == 2 and all(type(item) is str for item in items) and is_secret_pair(*items):  # noqa: PLR2004 - a pair
        yield 1, MASK
        return
    program = items[0].rpartition("/")[2] if items and isinstance(items[0], str) else ""
    short = _PASSWORD_OPTIONS.get(program)
    for place, item in enumerate(items):
        if not isinstance(item, str):
            continue
        if place and (masked := _behind(items[place - 1], item, short)) is not None:
            yield place, masked
        elif short and program in _ATTACHED and item.startswith(short) and len(item) > len(short):
            yield place, f"{short}{MASK}"


def _behind(option: Any, item: str, short: str | None) -> str | None:
    """Tell what stands in the place of an item that follows an option; None: what did before."""
    if not isinstance(option, str) or option[:1] != "-" or not item.strip("*"):
        return None
    if option in _USER_AND_PASSWORD and (option != "-u" or short == "-u"):
        user, _, password = item.partition(":")
        return f"{user}:{MASK}" if password.strip("*") else None
    if option == short:
        return MASK
    name = option.lstrip("-")
    is_secret = names_a_secret(name) and not name.startswith("no-") and is_secret_under(name, item)
    return MASK if is_secret and not item.startswith("--") else None


def secret_value_of(record: Mapping[str, Any]) -> str | None:
    """Tell the key under which a record holds the value of a secret that it names: `{"name": "token", "value": ...}`."""
    for value in _VALUES:
        if value in record:
            for label in _LABELS:
                name = record.get(label)
                if isinstance(name, str) and names_a_secret(name) and is_secret_under(name, record[value]):
                    return value
    return None
