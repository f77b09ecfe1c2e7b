"""A service as the contract describes it, in a thread: it stores by (writer, job, n), and answers as it is told to."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE_S = 20.0


def wait_until(condition: Callable[[], object], *, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.005)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one post is treated."""

    status: int = 200
    body: bytes | None = None
    """None: what the contract says of the status."""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_stored: bool | None = None
    """None: if the status is 200."""
    is_cut: bool = False
    """The connection breaks in the middle of the answer."""
    times: int = 1
    """How often the request arrives."""
    after: threading.Event | None = None
    """Hangs until it is set."""


def refusal(line: int | None, *, status: int = 400) -> Answer:
    error = {"code": "BAD_INPUT", "message": "it is bad"} | ({} if line is None else {"line": line})
    return Answer(status=status, body=json.dumps({"error": error}).encode())


OK = Answer()
AWAY = Answer(status=503, body=b'{"error": {"code": "UNAVAILABLE", "message": "the database is away"}}')

Judge = Callable[[list[dict[str, Any]]], Answer]


class ModelService:
    def __init__(self) -> None:
        self.script: deque[Answer] = deque()
        """Answers to the next posts, before `judge` is asked."""
        self.judge: Judge = lambda events: OK
        self.posts: list[list[dict[str, Any]]] = []
        self.headers: list[Mapping[str, str]] = []
        self.came_at: list[float] = []
        self.stored: list[tuple[str, dict[str, Any]]] = []
        self.skipped = 0
        self._positions: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()
        self._port = 0
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._server = _Server(self, self._port)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Go away with all connections."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.cut_all()

    def lines_of(self, job_id: str) -> list[str]:
        return [event["message"] for _, event in self.stored if event["job_id"] == job_id and event["type"] == "line"]

    def lines_by_writer(self) -> dict[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for writer, event in self.stored:
            if event["type"] == "line":
                found[writer].append(event["message"])
        return dict(found)

    def take(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer a post."""
        if headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        events = [json.loads(line) for line in body.splitlines()]
        with self._lock:
            self.came_at.append(time.monotonic())
            self.posts.append(events)
            self.headers.append(headers)
            answer = self.script.popleft() if self.script else self.judge(events)
        if answer.after is not None:
            answer.after.wait(PATIENCE_S)
        if answer.status == 200 if answer.is_stored is None else answer.is_stored:
            for _ in range(answer.times):
                self._store(headers["Jobtail-Writer"], events)
        return answer

    def _store(self, writer: str, events: list[dict[str, Any]]) -> None:
        with self._lock:
            newest: dict[str, int] = {}
            for event in events:
                job_id, n = event["job_id"], event["n"]
                assert n > newest.get(job_id, 0), "numbers rise within a post"
                newest[job_id] = n
                if n <= self._positions.get((writer, job_id), 0):
                    self.skipped += 1
                else:
                    self.stored.append((writer, event))
            for job_id, n in newest.items():
                self._positions[writer, job_id] = max(n, self._positions.get((writer, job_id), 0))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, service: ModelService, port: int) -> None:
        self.service = service
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def cut_all(self) -> None:
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is part of the test."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path.endswith("/api/capture"), "a proxy is asked by the whole URL"
        answer = self.server.service.take(dict(self.headers), body)
        said = b'{"stored": 1, "skipped": 0}' if answer.body is None else answer.body
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said[: len(said) // 2] if answer.is_cut else said)
        self.close_connection = self.close_connection or answer.is_cut

    def log_message(self, *args: Any) -> None:
        """Be quiet."""


@contextmanager
def model_service() -> Iterator[ModelService]:
    service = ModelService()
    service.start()
    try:
        yield service
    finally:
        service.stop()
