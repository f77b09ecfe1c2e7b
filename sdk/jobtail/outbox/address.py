"""The address of a service: its one form, and how it is reached."""

from __future__ import annotations

import ipaddress
import logging
from typing import Any, NamedTuple
from urllib.parse import unquote
from urllib.request import getproxies_environment, proxy_bypass

import urllib3
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

PATH = "/api/capture"

NO_RETRIES = urllib3.Retry(total=False, redirect=False)
"""As an object: urllib3 logs a line of its own for each False that it makes one of."""

log = logging.getLogger("jobtail")


def base_url(url: str) -> str:
    """Bring the URL of a service into its one form.

    Raises:
        ValueError: if it is none; the message says what to write, and nothing of the URL that may be a password.
    """
    example = "write it like http://127.0.0.1:8820 or https://jobtail.example.com"
    try:
        parsed = parse_url(url.strip())
    except LocationParseError:
        raise ValueError(f"the URL of the service is none: {example}") from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError(f"the URL of the service must begin with http:// or https:// and name a host: {example}")
    if parsed.auth or parsed.query or parsed.fragment:
        raise ValueError(f"the URL of {parsed.host} has more than a host, a port and a path: {example}")
    path = (parsed.path or "").rstrip("/").removesuffix(PATH)
    return str(Url(scheme=parsed.scheme, host=parsed.host, port=parsed.port, path=path or None))


def is_loopback(host: str | None) -> bool:
    name = (host or "").strip("[]").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


class Proxy(NamedTuple):
    """How a proxy is reached, and what it is told besides."""

    url: str
    authorization: str | None = None
    """A user and a password, as `user:password`."""


def proxy_of(url: Url) -> Proxy | None:
    """Find the proxy that the environment names for a service. One that urllib3 does not speak to is passed by."""
    proxies = getproxies_environment()
    named = (proxies.get(url.scheme or "") or proxies.get("all") or "").strip()
    if not named or proxy_bypass(url.netloc or ""):
        return None
    proxy = _proxy(named)
    if proxy is None:
        log.warning("a proxy of the environment is none of HTTP: %s is reached without it", url.host)
    return proxy


def connections(proxy: Proxy | None, **options: Any) -> urllib3.PoolManager:
    """Make the connections to a service, through a proxy if there is one."""
    if proxy is None:
        return urllib3.PoolManager(**options)
    headers = urllib3.make_headers(proxy_basic_auth=proxy.authorization) if proxy.authorization else None
    return urllib3.ProxyManager(proxy.url, proxy_headers=headers, **options)


def _proxy(named: str) -> Proxy | None:
    try:
        parsed = parse_url(named if "://" in named else f"http://{named}")  # as curl takes a host and a port
    except LocationParseError:
        return None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        return None
    address = Url(scheme=parsed.scheme, host=parsed.host, port=parsed.port)
    return Proxy(str(address), None if parsed.auth is None else unquote(parsed.auth))
