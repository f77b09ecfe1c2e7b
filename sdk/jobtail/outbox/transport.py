"""One POST to the service, and what its answer means. It keeps no order and makes no pauses: those are the outbox's."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - socket looks it up; were a fork to meet its import, the child could never do so
import gzip
import json
import platform
import queue
import time
from collections import deque
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from uuid import UUID

import urllib3
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, ProtocolError, ReadTimeoutError
from urllib3.util import parse_url

from jobtail.jsonable import shown
from jobtail.outbox.address import NO_RETRIES, PATH, base_url, connections, is_loopback, proxy_of
from jobtail.sink import BatchRejected, SinkUnavailable

GZIP_BYTES = 16 << 10
"""A smaller body gains nothing worth its time."""
ANSWER_BYTES = 64 << 10
POST_TIMEOUT_S = 30.0
_REFUSALS = frozenset({400, 413, 422})
_FORBIDDEN = frozenset({401, 403})
_ABSENT = frozenset({404, 405})
_REDIRECTS = range(300, 400)


class AnswerLate(SinkUnavailable):
    """The service was reached and has not answered in time."""


class JobForbidden(Exception):
    """The token does not allow one job of the batch. The others may be let in."""

    def __init__(self, message: str, job_id: str) -> None:
        super().__init__(message)
        self.job_id = job_id


class HttpTransport:
    """Posts to one service over connections that are kept. Used from one thread at a time."""

    def __init__(self, url: str, token: str | None = None) -> None:
        """Make a transport; it connects with the first post.

        Raises:
            ValueError: if the URL or the token can't be one; the message says what to write.
        """
        self.url = base_url(url)
        self._headers = {
            "Content-Type": "application/x-ndjson",
            "Accept": "application/json",
            "User-Agent": user_agent(),
            **_authorization(token),
        }
        parsed = parse_url(self.url)
        self._is_loopback = is_loopback(parsed.host)
        self._proxy = None if self._is_loopback else proxy_of(parsed)
        self._connections = self._new_connections()

    def post(self, writer_id: UUID, body: bytes, *, timeout_s: float = POST_TIMEOUT_S) -> None:
        """Post NDJSON and return once the service has stored it.

        Raises:
            BatchRejected: the service will never take it as it is.
            JobForbidden: it takes nothing of one job that is in it.
            SinkUnavailable: not now, or nobody knows: post it again.
        """
        headers = {**self._headers, "Jobtail-Writer": str(writer_id)}
        # Over the loopback there is nothing to be saved that would be worth the time of both sides.
        if len(body) > GZIP_BYTES and not self._is_loopback:
            body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
        try:
            status, answer_headers, answer = self._exchange(body, headers, timeout_s)
        except ReadTimeoutError as error:
            raise AnswerLate(f"{self.url} does not answer within {timeout_s:g} s") from error
        except (HTTPError, OSError, ValueError) as error:
            raise SinkUnavailable(f"{self.url} can't be reached: {_cause(error)}") from error
        self._judge(status, answer_headers, answer)

    def renew(self) -> None:
        """Leave the connections to the parent of a forked process."""
        self._connections = self._new_connections()

    def close(self) -> None:
        self._connections.clear()

    def _new_connections(self) -> urllib3.PoolManager:
        # Pauses and repeats belong to the outbox; a redirect would carry the token to who knows whom.
        made = connections(self._proxy, num_pools=1, maxsize=1, retries=NO_RETRIES)
        made.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}
        return made

    def _exchange(self, body: bytes, headers: dict[str, str], timeout_s: float) -> tuple[int, Any, bytes]:
        deadline = time.monotonic() + timeout_s
        try:
            return self._once(body, headers, deadline)
        except ProtocolError:
            # Most often a kept connection that the other side closed meanwhile. A batch may be posted again.
            return self._once(body, headers, deadline)

    def _once(self, body: bytes, headers: dict[str, str], deadline: float) -> tuple[int, Any, bytes]:
        left_s = max(deadline - time.monotonic(), 0.001)
        response = self._connections.request(
            "POST",
            self.url + PATH,
            body=body,
            headers=headers,
            timeout=urllib3.Timeout(total=left_s),
            redirect=False,
            retries=NO_RETRIES,
            preload_content=False,
        )
        try:
            answer = response.read(ANSWER_BYTES + 1)
            if len(answer) > ANSWER_BYTES:
                response.close()
        except BaseException:
            response.close()
            raise
        finally:
            response.release_conn()
        return response.status, response.headers, answer

    def _judge(self, status: int, headers: Any, answer: bytes) -> None:
        said = _json_object(answer)
        error = said.get("error")
        error = error if isinstance(error, dict) else {}
        if status == 200 and "stored" in said:  # noqa: PLR2004 - HTTP's own number
            return
        if status in _REFUSALS and (error or status == 413):  # noqa: PLR2004 - a proxy says it in words of its own
            raise BatchRejected(_message(error, status), line=_line_number(error))
        if status in _FORBIDDEN and isinstance(job_id := error.get("job_id"), str):
            raise JobForbidden(self._about_token(status, _message(error, status)), job_id)
        if status in _FORBIDDEN:
            raise SinkUnavailable(self._about_token(status, _message(error, status)))
        if status in _REDIRECTS:
            raise SinkUnavailable(f"{self.url} redirects to {headers.get('Location')}: configure the URL it leads to")
        if status in _ABSENT or status < 400 or (status < 500 and not error and status != 429):  # noqa: PLR2004
            raise SinkUnavailable(f"there is no Jobtail service at {self.url} (status {status})")
        raise SinkUnavailable(
            f"{self.url} answers {_message(error, status)}", retry_after_s=_retry_after_s(headers.get("Retry-After"))
        )

    def _about_token(self, status: int, message: str) -> str:
        advice = (
            "check the token (JOBTAIL_TOKEN)" if "Authorization" in self._headers else "set a token (JOBTAIL_TOKEN)"
        )
        return f"{self.url} does not let capture in ({status}): {advice}; the service says: {message}"


class _Connections(queue.LifoQueue[Any]):
    """The kept connections without a lock, which a fork could find taken: one thread posts."""

    def __init__(self, maxsize: int) -> None:  # its parent's is not called: that makes the locks
        self.maxsize = maxsize
        self._kept: deque[Any] = deque()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ARG002, FBT001, FBT002
        if not self._kept:
            raise queue.Empty
        return self._kept.pop()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ARG002, FBT001, FBT002
        if len(self._kept) >= self.maxsize:
            raise queue.Full
        self._kept.append(item)

    def qsize(self) -> int:
        return len(self._kept)


class _HttpPool(HTTPConnectionPool):
    QueueCls: Any = _Connections


class _HttpsPool(HTTPSConnectionPool):
    QueueCls: Any = _Connections


def user_agent() -> str:
    """Name this version of the SDK to the service, as every client of HTTP does."""
    try:
        own = version("jobtail")
    except PackageNotFoundError:  # part of an application without the package's own record
        own = "unknown"
    return f"jobtail/{own} python/{platform.python_version()}"


def _authorization(token: str | None) -> dict[str, str]:
    token = (token or "").strip()
    if not token:
        return {}
    if not (token.isascii() and token.isprintable()):
        raise ValueError("the token holds characters that no token has: copy it again")
    return {"Authorization": f"Bearer {token}"}


def _json_object(answer: bytes) -> dict[str, Any]:
    try:
        said = json.loads(answer)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _message(error: dict[str, Any], status: int) -> str:
    message = error.get("message")
    return message if isinstance(message, str) and message else f"status {status}"


def _line_number(error: dict[str, Any]) -> int | None:
    line = error.get("line")
    return line if type(line) is int and line > 0 else None


def _retry_after_s(header: str | None) -> float | None:
    """Read seconds or a date. None where nothing fitting was said."""
    if header is None:
        return None
    try:
        return max(float(header), 0) if header.strip().isdigit() else _seconds_until(parsedate_to_datetime(header))
    except ValueError:
        return None


def _seconds_until(moment: datetime) -> float:
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0)


def _cause(error: BaseException) -> str:
    """Say what happened without the object that urllib3 puts before it."""
    text = shown(error)
    return text.rpartition("): ")[2] or text or type(error).__name__
