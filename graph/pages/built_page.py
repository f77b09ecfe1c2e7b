"""A page that `make web` builds from a folder of web/, as a browser gets it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from starlette.responses import HTMLResponse

STATIC: Final = Path(__file__).parents[1] / "static"
_UNBUILT: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{name} - Jobtail</title><link rel="icon" href="data:,"></head>
<body>
<h1>{name} is not built yet</h1>
<p>Run <code>make web</code> in the checkout and load this page again. The API itself answers at
<code>/graphql</code> already.</p>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class BuiltPage:
    name: str
    file: Path
    content_security_policy: str

    def answer(self, status: int = 200) -> HTMLResponse:
        """Answer with the page, which names the files of its build: it is asked for anew each time, they are not."""
        return HTMLResponse(
            self.html(),
            status,
            headers={
                "Content-Security-Policy": self.content_security_policy,
                "Cache-Control": "no-cache",
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
            },
        )

    def html(self) -> str:
        """Return the page, or one that says how to build it. A new build is seen without a restart."""
        try:
            built_at_ns = self.file.stat().st_mtime_ns
        except FileNotFoundError:
            return _UNBUILT.format(name=self.name)
        return _read(self.file, built_at_ns)


@lru_cache(maxsize=4)
def _read(file: Path, _built_at_ns: int) -> str:
    return file.read_text(encoding="utf-8")
