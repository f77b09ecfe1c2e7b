"""Tokens that tell by their first characters who issued them.

Most have a word, a separator and a long run of characters. The separator with its run is what is looked for; the word
before it tells whether that is a token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]

_LONGEST_WORD = 28
RUN = re.compile(r"[_\-.][A-Za-z0-9_-]{16}(?<![_\-.][0-9a-f]{4}-.{11})")
"""Quicker to look for than a mark, and in every text that has one."""
_MARK = re.compile(r"[_\-.](?![0-9a-f]{4}-)(?:[A-Za-z0-9]{16}|(?=[A-Za-z0-9_-]{16})[a-z_-]{0,80}+[A-Z0-9])")
"""A separator with a run of 16, which is neither a UUID's nor a name of small letters."""
_WORD = re.compile(r"[A-Za-z0-9]+\Z")

_GITLAB = "pat ptt rt rtr dt cbt ft imt agent soat ffct oas wt"
_BY_WORD = {
    "jt": r"jt_[A-Za-z0-9_-]{20,}+",  # Jobtail's own
    **{f"gh{kind}": rf"gh{kind}_[A-Za-z0-9]{{20,}}+" for kind in "pousr"},
    "github": r"github_pat_[A-Za-z0-9_]{20,}+",
    **{f"gl{kind}": rf"gl{kind}-[A-Za-z0-9_.-]{{16,}}+" for kind in _GITLAB.split()},
    "npm": r"npm_[A-Za-z0-9]{30,}+",
    "pypi": r"pypi-[A-Za-z0-9_-]{40,}+",
    "rubygems": r"rubygems_[a-f0-9]{40,}+",
    "dckr": r"dckr_[po]at_[A-Za-z0-9_-]{20,}+",
    "hf": r"hf_[A-Za-z0-9]{20,}+",
    "r8": r"r8_[A-Za-z0-9]{30,}+",
    "nvapi": r"nvapi-[A-Za-z0-9_-]{30,}+",
    "gsk": r"gsk_[A-Za-z0-9]{32,}+",
    "xai": r"xai-[A-Za-z0-9]{32,}+",
    "pplx": r"pplx-[A-Za-z0-9]{32,}+",
    "tvly": r"tvly-[A-Za-z0-9-]{28,}+",
    "sk": r"(?<![A-Za-z0-9_-])sk(?:_(?:live|test)_[A-Za-z0-9]{8,}+|-(?=[A-Za-z_-]{0,80}\d)[A-Za-z0-9_-]{16,}+)",
    "rk": r"rk_(?:live|test)_[A-Za-z0-9]{8,}+",
    "pk": r"pk_(?:live|test)_[A-Za-z0-9]{8,}+",
    "whsec": r"whsec_[A-Za-z0-9+/]{16,}+=*+",
    "SG": r"SG\.[A-Za-z0-9_-]{16,}+\.[A-Za-z0-9_-]{16,}+",  # SendGrid
    **{f"do{kind}": rf"do{kind}_v1_[a-f0-9]{{32,}}+" for kind in "por"},  # DigitalOcean
    **{f"shp{kind}": rf"shp{kind}_[A-Fa-f0-9]{{24,}}+" for kind in ("at", "ss", "ca", "pa")},  # Shopify
    **{f"hv{kind}": rf"hv{kind}\.[A-Za-z0-9_-]{{20,}}+" for kind in "sbr"},  # Vault
    "atlasv1": r"atlasv1\.[A-Za-z0-9_=-]{40,}+",  # Terraform
    "ya29": r"ya29\.[A-Za-z0-9._-]{16,}+",  # Google
    "GOCSPX": r"GOCSPX-[A-Za-z0-9_-]{16,}+",
    # Slack
    **{f"xox{kind}": rf"xox{kind}(?:\.xox[a-z])?-[A-Za-z0-9-]{{8,}}+" for kind in "abceoprs"},
    "xapp": r"xapp-[A-Za-z0-9-]{16,}+",
    "sq0atp": r"sq0atp-[A-Za-z0-9_-]{20,}+",  # Square
    "sq0csp": r"sq0csp-[A-Za-z0-9_-]{20,}+",
    "key": r"key-[0-9a-f]{32}(?![A-Za-z0-9])",  # Mailgun
    "xkeysib": r"xkeysib-[a-f0-9]{40,}+(?:-[A-Za-z0-9]+)?",  # Brevo
    "glsa": r"glsa_[A-Za-z0-9_]{30,}+",  # Grafana
    "glc": r"glc_[A-Za-z0-9+/=]{30,}+",
    "NRAK": r"NRAK-[A-Z0-9]{20,}+",  # New Relic
    "sntrys": r"sntrys_[A-Za-z0-9_+/=-]{40,}+",
    "sntryu": r"sntryu_[a-f0-9]{40,}+",
    "lin": r"lin_(?:api|oauth)_[A-Za-z0-9]{30,}+",
    "figd": r"figd_[A-Za-z0-9_-]{30,}+",
    "secret": r"secret_[A-Za-z0-9]{40,}+",  # Notion
    "ntn": r"ntn_[A-Za-z0-9]{40,}+",
    "PMAK": r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}",  # Postman
    "ATATT3xFfGF0": r"ATATT3xFfGF0[A-Za-z0-9_=-]{30,}+",  # Atlassian
    "CCIPAT": r"CCIPAT_[A-Za-z0-9_]{30,}+",
    "bkua": r"bkua_[a-f0-9]{40}",
    **{
        f"{kind}": rf"{kind}\.(?:[a-z0-9_-]{{2,35}}\.)?[A-Za-z0-9]{{40,}}+" for kind in ("pt", "st", "ct", "sa")
    },  # Doppler
    "pscale": r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{30,}+",
    "sbp": r"sbp_[a-f0-9]{40}",  # Supabase
    "sb": r"sb_secret_[A-Za-z0-9_-]{20,}+",
    "HRKU": r"HRKU-[A-Za-z0-9_-]{30,}+",
    "ops": r"ops_eyJ[A-Za-z0-9_-]{50,}+",  # 1Password
    "pnu": r"pnu_[A-Za-z0-9]{30,}+",
    "KEY": r"KEY-1[A-Z0-9]{50,}+",  # age
}
_KNOWN_WORDS = {word: re.compile(pattern) for word, pattern in _BY_WORD.items()}
_BY_SHAPE = re.compile(
    r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}"  # Airtable
    r"|dt0[a-z]\d\d\.[A-Z0-9]{24}\.[A-Z0-9]{60,}+"  # Dynatrace
    r"|[MNO][A-Za-z0-9]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}+"  # Discord
)
_SHORT = tuple(
    (trigger, re.compile(pattern))
    for trigger, pattern in (
        ("IA", r"(?<![A-Za-z0-9])A(?:K|S)IA[A-Z0-9]{16}(?![A-Za-z0-9])"),  # AWS
        ("AIza", r"AIza[A-Za-z0-9_-]{30,}+"),  # Google
        ("SK", r"(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![A-Za-z0-9])"),  # Twilio
        ("dapi", r"(?<![A-Za-z0-9])dapi[a-f0-9]{32}(?:-\d)?(?![A-Za-z0-9])"),  # Databricks
        ("whsec_", r"whsec_[A-Za-z0-9+/]{16,}+=*+"),  # Stripe
        ("eyJ", r"eyJ[A-Za-z0-9_-]{5,}+(?:\.[A-Za-z0-9_-]{2,}+\.[A-Za-z0-9_-]*+)"),  # a JSON web token
        (":AA", r"(?<![0-9])\d{8,10}:AA[A-Za-z0-9_-]{32,}+"),  # Telegram
    )
)
"""Tokens that may have no mark."""


def tokens(text: str) -> Iterator[Iterator[Span]]:
    """Give each way to look for tokens, in the order of the text."""
    yield _marked(text)
    for trigger, pattern in _SHORT:
        if trigger in text:
            yield (found.span() for found in pattern.finditer(text))


def _marked(text: str) -> Iterator[Span]:
    read = 0
    for mark in _MARK.finditer(text):
        place = mark.start()
        if place >= read and (found := _token_before(text, place)) is not None:
            read = found.end()
            yield found.span()


def _token_before(text: str, place: int) -> re.Match[str] | None:
    word = _WORD.search(text, max(place - _LONGEST_WORD, 0), place)
    if word is None:
        return None
    pattern = _KNOWN_WORDS.get(word[0])
    if pattern is not None:
        return pattern.match(text, word.start())
    return _BY_SHAPE.match(text, word.start()) or _bot_token_around(text, word.start())


def _bot_token_around(text: str, place: int) -> re.Match[str] | None:
    """Match a token of three parts from the second dot, before which the mark stands."""
    first = _WORD.search(text, max(place - _LONGEST_WORD - 1, 0), place - 1) if text[place - 1 : place] == "." else None
    return first and _BY_SHAPE.match(text, first.start())
