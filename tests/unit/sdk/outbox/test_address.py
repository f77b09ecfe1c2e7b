"""The proxy that the environment names for a service, in all forms that people write it in."""

from __future__ import annotations

import logging
import os

import pytest
from urllib3.util import parse_url

from jobtail.outbox.address import Proxy, proxy_of

SERVICE = parse_url("http://jobtail.example:8820")


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("name", "value", "proxy"),
    [
        ("HTTP_PROXY", "http://proxy.example:3128", Proxy("http://proxy.example:3128")),
        ("http_proxy", "proxy.example:3128", Proxy("http://proxy.example:3128")),
        ("http_proxy", "HTTP://Proxy.example:3128/", Proxy("http://proxy.example:3128")),
        ("http_proxy", " proxy.example ", Proxy("http://proxy.example")),
        ("http_proxy", "[::1]:3128", Proxy("http://[::1]:3128")),
        ("http_proxy", "user:p%40ss@proxy.example:3128", Proxy("http://proxy.example:3128", "user:p@ss")),
        ("ALL_PROXY", "https://proxy.example", Proxy("https://proxy.example")),
        ("HTTPS_PROXY", "http://proxy.example:3128", None),
    ],
)
def test_a_proxy_is_understood_as_curl_understands_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: str, proxy: Proxy | None
) -> None:
    monkeypatch.setenv(name, value)
    assert proxy_of(SERVICE) == proxy
    assert caplog.records == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1080"),
        ("all_proxy", "socks5h://u:word@127.0.0.1:1080"),
        ("http_proxy", "http://[::1"),
        ("http_proxy", "http://"),
        ("http_proxy", "http://proxy.example:port"),
        ("http_proxy", "ftp://proxy.example"),
    ],
)
def test_a_proxy_of_another_kind_is_passed_by_and_said_without_its_password(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    caplog.set_level(logging.WARNING, "jobtail")
    monkeypatch.setenv(name, value)
    assert proxy_of(SERVICE) is None
    (record,) = caplog.records
    assert "jobtail.example" in record.getMessage()
    assert "word" not in record.getMessage()


def test_no_proxy_names_what_is_reached_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "jobtail.example")
    assert proxy_of(SERVICE) is None
