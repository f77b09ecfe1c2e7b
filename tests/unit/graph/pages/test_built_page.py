"""Pages as `make web` builds them."""

from __future__ import annotations

from pathlib import Path

from graph.pages.built_page import BuiltPage


def test_a_page_that_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    page = BuiltPage("The page", tmp_path / "index.html", "default-src 'none'")
    assert "make web" in page.html()
    page.file.write_text("built", encoding="utf-8")
    assert page.html() == "built"
