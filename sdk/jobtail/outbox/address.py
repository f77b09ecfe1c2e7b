"""The address of a service: its one form, and how it is reached."""

from __future__ import annotations

import ipaddress
from urllib.request import getproxies_environment, proxy_bypass

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

PATH = "/api/capture"


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


def proxy_of(url: Url) -> str | None:
    proxies = getproxies_environment()
    proxy = proxies.get(url.scheme or "") or proxies.get("all")
    return None if not proxy or proxy_bypass(url.netloc or "") else proxy
