"""Secrets whose name and value are parted in other ways than by `=` and `:`.

Options of a command line, elements of XML, SQL, netrc, pairs in lists, records of a name and a value, blocks in YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jobtail.masking.secret_names import MORE, WORD, is_harmless_name, is_secret_under, names_a_secret

Span = tuple[int, int]

_ANY = rf"(?P<name>{WORD}|(?<![a-z])pass(?![a-z])|(?<![a-z])auth(?![a-z]))(?P<more>{MORE})"
_OPTION = re.compile(
    rf"""-(?:[a-z0-9]{{1,20}}[-_]){{0,4}}?{_ANY}[ \t]{{1,8}}"""
    r"""(?:"(?P<double>[^"\n]+)"|'(?P<single>[^'\n]+)'|(?P<bare>[^\s"'`-][^\s"'`]*+))"""
)
_LISTED_OPTION = re.compile(
    r"""["']--?(?P<name>[a-z0-9_-]{2,60})\\{0,3}["']\s{0,4},\s{0,40}b?(?P<quote>\\{0,3}["'])(?P<value>[^"'\\\n]+)(?P=quote)"""
)
_ELEMENT = re.compile(rf"<[a-z0-9_.:-]{{0,40}}?{_ANY}(?:\s[^<>]{{0,300}})?>(?:<!\[cdata\[)?(?P<value>[^<]+)</")
_SQL = re.compile(
    r"(?:password|identified\s{1,4}(?:with\s{1,4}\S{1,60}\s{1,4})?by(?:\s{1,4}password)?)(?:\s{0,4}[(=]\s{0,4}|\s{1,4})n?'(?P<value>(?:[^'\n]|'')++)'"
)
_NETRC = re.compile(r"\blogin[ \t\n]{1,8}[^\s]{1,200}[ \t\n]{1,8}password[ \t\n]{1,8}(?P<value>[^\s]++)")
_PAIR = re.compile(
    r"""[\[(]\s{0,4}b?\\{0,3}["'](?P<name>[a-z0-9_.\-]{2,64})\\{0,3}["']\s{0,4},\s{0,40}b?(?P<quote>\\{0,3}["'])(?P<value>[^"'\\\n]+)"""
    r"""(?P=quote)\s{0,4},?\s{0,4}[\])]"""
)
_LABEL = r"""(?<![a-z])(?:name|key|header|field|variable|env)\\{0,3}["']?\s{0,4}[:=]\s{0,4}\\{0,3}["']?"""
_VALUE_LABEL = r"""(?<![a-z])value\\{0,3}["']?\s{0,4}[:=]\s{0,4}"""
_RECORD = re.compile(
    rf"""{_LABEL}(?P<name>[a-z0-9_.\-]{{2,64}})\\{{0,3}}["']?[ \t]{{0,8}},?(?:[^{{}}\[\]\n]{{0,80}},)?\s{{0,80}}\\{{0,3}}["']?{_VALUE_LABEL}"""
    r"""(?:(?P<quote>\\{0,3}["'])(?P<quoted>(?:[^"'\\\n]|\\(?!["'])|(?!(?P=quote))["'])++)|(?P<bare>[^\s"'\\,}]++))"""
)
_REVERSED_RECORD = re.compile(
    rf"""{_VALUE_LABEL}(?P<quote>\\{{0,3}}["'])(?P<quoted>[^"'\\\n]{{1,4000}})(?P=quote)\s{{0,4}},?\s{{0,80}}\\{{0,3}}["']?{_LABEL}"""
    r"""(?P<name>[a-z0-9_.\-]{2,64})(?![a-z0-9_.\-])"""
)
_BLOCK = re.compile(
    r"^(?P<indent>[ \t]*+)(?:- )?[\"']?(?P<name>[a-z0-9_.\-]{2,64})[\"']?:[ \t]*+[|>][+-]?\d?[ \t]*+\n"
    r"(?P<value>(?:(?P=indent)[ \t]++[^\n]*+(?:\n|\Z)|[ \t]*+\n)++)",
    re.MULTILINE,
)
_SETTING = re.compile(
    rf"(?<![a-z0-9])(?:env|arg|setx?|setenv|export|-g?x)[ \t]{{1,4}}[a-z0-9_]{{0,40}}?{_ANY}[ \t]{{1,4}}[\"']?(?P<value>[^\s\"'=]++)"
)
_CURL_USER = re.compile(
    r"""(?:(?<=\s)-u|--(?:proxy-)?user)(?:[ \t]{1,4}|=|(?=["']))["']?[^\s:"']{0,100}:(?P<value>[^\s"']++)"""
)
_METAVARIABLE = re.compile(r"[A-Z][A-Z_]*[\])]?|<[^<>]*>|\{\w*\}|\[[^\[\]]*\]|\$\{?\w+\}?|%s|\*+|id=.*|\.{3}")
_PROSE = """
a also an and any argument arguments as before by can cannot environment file flag flags for from has have help if in
instead is isn't it may missing must not of on option options or parameter required requires set so takes than that
the then this to use used using value was when which will with without you your
"""
_TOLD = frozenset(_PROSE.split())
"""Words that follow an option in prose, not on a command line."""
_KINDS_OF_VALUES = frozenset({"required", "optional", "string", "text", "none", "null", "true", "false", "hidden"})
_FIELD_NAMES = "email id key login mail name user username url host type role roles scope scopes created_at"
_FIELDS = frozenset(_FIELD_NAMES.split())


def written_forms(text: str, lower: str) -> Iterator[Iterator[Span]]:
    """Give each way to look for them, in the order of the text. `lower` is the text in small letters."""
    if "-" in lower:
        yield _options(text, lower)
        yield _listed_options(lower)
    if "curl" in lower or "--user" in lower:
        yield (found.span("value") for found in _CURL_USER.finditer(lower))
    if "</" in lower:
        yield _elements(lower)
    if "'" in lower:
        yield (found.span("value") for found in _SQL.finditer(lower) if found["value"].strip("*"))
    if any(word in lower for word in ("env", "arg", "set", "export")):
        yield _settings(text, lower)
    if "machine" in lower or "default login" in lower:
        yield (found.span("value") for found in _NETRC.finditer(lower))
    if "," in lower:
        yield _pairs(text, lower)
    if "value" in lower:
        yield _records(_RECORD, text, lower)
        yield _records(_REVERSED_RECORD, text, lower)
    if "\n" in lower and ":" in lower:
        yield (found.span("value") for found in _BLOCK.finditer(lower) if names_a_secret(found["name"]))


def _options(text: str, lower: str) -> Iterator[Span]:
    for found in _OPTION.finditer(lower):
        start, end = found.span(found.lastgroup or 0)
        first = found.start()
        if lower[first - 1 : first].isalnum() or "no-" in lower[first : found.start("name")]:
            continue
        if is_harmless_name(found["name"], found["more"], lower[first : found.start("name")]):
            continue
        if found.lastgroup == "bare":
            said = text[start:end].rstrip(".,;:!?)")
            if said.lower() in _TOLD or _METAVARIABLE.fullmatch(said):
                continue
            end = start + len(text[start:end].rstrip(")]},;"))
        if start < end:
            yield start, end


def _listed_options(lower: str) -> Iterator[Span]:
    for found in _LISTED_OPTION.finditer(lower):
        if names_a_secret(found["name"]) and not found["value"].startswith("--"):
            yield found.span("value")


def _elements(lower: str) -> Iterator[Span]:
    for found in _ELEMENT.finditer(lower):
        is_harmless = is_harmless_name(found["name"], found["more"], lower[found.start() : found.start("name")])
        if not is_harmless and is_secret_under(found["name"], found["value"].strip()) and found["value"].strip(" *\n"):
            yield found.span("value")


def _settings(text: str, lower: str) -> Iterator[Span]:
    for found in _SETTING.finditer(lower):
        start, end = found.span("value")
        name = text[found.start("name") : found.end("more")]
        if name.isupper() and names_a_secret(name) and is_secret_under(name, text[start:end]):
            yield start, end


def _pairs(text: str, lower: str) -> Iterator[Span]:
    for found in _PAIR.finditer(lower):
        if is_secret_pair(text[slice(*found.span("name"))], text[slice(*found.span("value"))]):
            yield found.span("value")


def is_secret_pair(name: str, value: str) -> bool:
    """Tell whether two texts are the name and the value of a secret: `["x-api-key", "..."]`, not two names."""
    return (
        names_a_secret(name)
        and is_secret_under(name, value)
        and value.lower() not in _FIELDS
        and not names_a_secret(value)
    )


def _records(pattern: re.Pattern[str], text: str, lower: str) -> Iterator[Span]:
    for found in pattern.finditer(lower):
        is_bare = found["quoted"] is None
        span = found.span("bare" if is_bare else "quoted")
        if is_bare and found["bare"] in _KINDS_OF_VALUES:
            continue
        if names_a_secret(text[slice(*found.span("name"))]) and is_secret_under(found["name"], text[slice(*span)]):
            yield span
