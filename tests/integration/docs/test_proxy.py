"""docs/installing.md is true of its proxy: nginx with that configuration passes on pages and websockets."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from tests.apps.running import soon
from tests.client import PATIENCE_S
from tests.conftest import CloneDatabase, serving
from tests.documents import blocks
from tests.faults.capture.proxy import free_port

HOST = "jobtail.example.com"
FORBIDDEN = 4403


@pytest.fixture
def proxied(new_database: CloneDatabase, migrated_template: str, tmp_path: Path) -> Iterator[int]:
    """Run nginx as the page says before a service with access control; yields its port."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
    if nginx is None:
        pytest.skip("there is no nginx on this machine")
    port = free_port()
    subject = ("-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}")
    files = ("-keyout", tmp_path / "jobtail.key", "-out", tmp_path / "jobtail.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files], check=True, capture_output=True
    )
    (server,) = [block.text for block in blocks("docs/installing.md") if block.language == "nginx"]
    with serving(new_database(migrated_template), JOBTAIL_ACCESS="tokens") as service:
        here = server.replace("/etc/ssl/", f"{tmp_path}/").replace("listen 443", f"listen 127.0.0.1:{port}")
        paths = "".join(
            f"{name}_temp_path {tmp_path}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        text = f"pid {tmp_path}/pid; daemon off; events {{}} http {{ access_log off; {paths} {here} }}"
        (tmp_path / "nginx.conf").write_text(text.replace("http://127.0.0.1:8820", service.url))
        command = [nginx, "-e", str(tmp_path / "error.log"), "-c", str(tmp_path / "nginx.conf")]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            soon(lambda: _answers(port) or process.poll() is not None)
            assert process.poll() is None, process.communicate()[1]
            yield port
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE_S)


def _answers(port: int) -> bool:
    try:
        return _get(port, "/healthz").is_success
    except httpx.TransportError:
        return False


def _get(port: int, path: str) -> httpx.Response:
    return httpx.get(f"https://127.0.0.1:{port}{path}", headers={"Host": HOST}, verify=False)


def test_the_proxy_passes_on_pages_and_websockets(proxied: int) -> None:
    assert "<title>Jobtail</title>" in _get(proxied, "/").text
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with connect(
        f"wss://{HOST}/graphql",
        sock=socket.create_connection(("127.0.0.1", proxied), PATIENCE_S),
        ssl=trusting,
        origin=Origin(f"https://{HOST}"),
        subprotocols=[Subprotocol("graphql-transport-ws")],
    ) as websocket:
        websocket.send(json.dumps({"type": "connection_init"}))
        with pytest.raises(ConnectionClosed) as closed:
            websocket.recv(timeout=PATIENCE_S)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == FORBIDDEN, "the service itself answered that it wants a token"
