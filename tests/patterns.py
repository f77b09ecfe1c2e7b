"""Regular expressions at random, of everything that the search knows."""

from __future__ import annotations

from hypothesis import strategies as st

_CHARACTERS = st.sampled_from(
    [*"aAbBkK09_ -:", "\n", r"\.", "{", "}", "]", r"\n", "é", "É", "ß", "İ", "\u03c3", "\u03a3", "ς", "K"]
)
_SETS = st.sampled_from(
    [
        r"\d",
        r"\w",
        r"\s",
        r"\D",
        r"\W",
        r"\S",
        ".",
        "[a-c]",
        "[^a]",
        "[A-Z]",
        r"[^\w-]",
        r"[\d_]",
        "[]x]",
        "[^]]",
        "[É-ß]",
    ]
)
_PLACES = st.sampled_from(["^", "$", r"\b", r"\A", r"\z"])
_COUNTS = st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "{1,}", "*?", "{0}"])


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(inner, _COUNTS).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    )


PATTERNS = st.tuples(
    st.sampled_from(["", "", "(?-i)"]), st.recursive(_CHARACTERS | _SETS | _PLACES, _grown, max_leaves=8)
).map("".join)
"""Most of them are right."""
