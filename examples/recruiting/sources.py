"""The sources of texts: file and http URLs, read, decoded, and freed of their HTML."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from email.message import Message
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import SplitResult, urldefrag, urljoin, urlsplit

MAX_BYTES = 4_000_000
TIMEOUT_S = 10.0

_META_CHARSET = re.compile(rb"<meta[^>]+charset=[\"']?([\w-]+)", re.IGNORECASE)
_HTML = re.compile(r"\A\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL)


class SourceError(Exception):
    """A source cannot be read; the message says which and why."""


class Link(NamedTuple):
    url: str
    """Absolute, without a fragment."""
    text: str


def is_remote(source: str) -> bool:
    return urlsplit(source).scheme in {"http", "https"}


def name_of(source: str) -> str:
    """Name what a source describes: its file's name without the ending, whichever machine or port it lies on."""
    return PurePosixPath(urlsplit(source).path).stem or "index"


def read_text(source: str) -> str:
    """Read the plain text of a source, a paragraph or an item a line.

    Raises:
        SourceError: if it is missing, unreachable, too large or of an unknown kind.
    """
    markup = read_markup(source)
    if not _HTML.match(markup):
        return markup
    page = _Page()
    page.feed(markup)
    page.close()
    return page.text


def read_links(source: str) -> list[Link]:
    """Read the links of a page to other pages, each once, in their order.

    Raises:
        SourceError: as `read_text` does.
    """
    page = _Page()
    page.feed(read_markup(source))
    page.close()
    links: dict[str, Link] = {}
    for href, text in page.links:
        url = urldefrag(urljoin(source, href)).url
        if urlsplit(url).scheme in {"file", "http", "https"} and url != urldefrag(source).url:
            links.setdefault(url, Link(url, text))
    return list(links.values())


def read_markup(source: str) -> str:
    """Read a source as it stands, decoded as it declares or else as UTF-8 or Windows-1252.

    Raises:
        SourceError: as `read_text` does.
    """
    parts = urlsplit(source)
    if is_remote(source):
        content, declared = _fetch(source)
    elif parts.scheme == "file" and parts.netloc in {"", "localhost"}:
        content, declared = _read_file(parts), None
    else:
        raise SourceError(f"neither a file nor an http URL: {source}")
    if len(content) > MAX_BYTES:
        raise SourceError(f"larger than {MAX_BYTES} bytes: {source}")
    return _decode(content, declared)


def _read_file(parts: SplitResult) -> bytes:
    path = Path(urllib.request.url2pathname(parts.path))
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SourceError(f"file not found: file:{path}") from None
    except OSError as error:
        raise SourceError(f"cannot read file:{path}: {error.strerror}") from error


def _fetch(url: str) -> tuple[bytes, str | None]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT_S) as response:
            headers: Message = response.headers
            content: bytes = response.read(MAX_BYTES + 1)
            return content, headers.get_content_charset()
    except urllib.error.HTTPError as error:
        error.close()
        raise SourceError(f"HTTP {error.code} {error.reason}: {url}") from None
    except OSError as error:
        raise SourceError(f"cannot fetch {url}: {getattr(error, 'reason', error)}") from error


def _decode(content: bytes, declared: str | None) -> str:
    found = _META_CHARSET.search(content[:2048])
    for charset in (declared, found[1].decode() if found else None, "utf-8-sig"):
        try:
            if charset is not None:
                return content.decode(charset)
        except (LookupError, UnicodeDecodeError):
            continue
    return content.decode("cp1252", errors="replace")


class _Page(HTMLParser):
    """The visible text and the links of a page."""

    BLOCKS = frozenset({"p", "li", "h1", "h2", "h3", "h4", "div", "br", "tr", "ul", "ol", "section", "main", "nav"})
    HIDDEN = frozenset({"head", "script", "style", "template"})

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self._pieces: list[str] = []
        self._hidden_in: str | None = None
        self._href: str | None = None
        self._anchor: list[str] = []

    @property
    def text(self) -> str:
        lines = (" ".join(line.split()) for line in "".join(self._pieces).split("\0"))
        return "\n".join(line for line in lines if line)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.HIDDEN and self._hidden_in is None:
            self._hidden_in = tag
        if tag in self.BLOCKS:
            self._pieces.append("\0")
        if tag == "a":
            self._href, self._anchor = dict(attrs).get("href"), []

    def handle_endtag(self, tag: str) -> None:
        if tag == self._hidden_in:
            self._hidden_in = None
        if tag in self.BLOCKS:
            self._pieces.append("\0")
        if tag == "a" and self._href:
            self.links.append((self._href, " ".join("".join(self._anchor).split())))
            self._href = None

    def handle_data(self, data: str) -> None:
        if self._hidden_in is None:
            self._pieces.append(data.replace("\0", ""))
            self._anchor.append(data)
