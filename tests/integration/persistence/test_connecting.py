"""Connections to Postgres as URLs ask for them, and Postgres that is not ready yet."""

from __future__ import annotations

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sqlalchemy.engine import make_url

from domain.errors import JobtailError, Unavailable
from persistence.channel.channel import BroadcastChannel
from persistence.database import Database

SSL_REQUEST = struct.pack("!ii", 8, 80877103)


async def asked(database: Database, query: str) -> Any:
    return await database.driven(lambda driver: driver.fetchval(query))


async def test_application_name_and_options_reach_the_session(database_url: str) -> None:
    url = f"{database_url}&application_name=mine&options=-c%20search_path%3Delsewhere&connect_timeout=10"
    async with Database(url) as database:
        assert await asked(database, "SHOW application_name") == "mine"
        assert await asked(database, "SHOW search_path") == "elsewhere"
        assert await asked(database, "SHOW statement_timeout") == "30s"


async def test_a_channel_takes_what_the_database_takes(database_url: str) -> None:
    url = f"{database_url}&application_name=mine&connect_timeout=10&command_timeout=5&statement_cache_size=0"
    async with BroadcastChannel(url) as channel, asyncio.timeout(10):
        while not channel.is_healthy:  # noqa: ASYNC110 - it sets no event
            await asyncio.sleep(0.01)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of 127.0.0.1 that is its own root, with its key beside it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    path = tmp_path / "ca.pem"
    path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    path.with_suffix(".key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while sent := await reader.read(65_536):
            writer.write(sent)
    writer.close()


@asynccontextmanager
async def encrypting(database_url: str, certificate: Path) -> AsyncIterator[int]:
    """Speak TLS before the socket of Postgres, as the proxy of a hosted database does."""
    url, context = make_url(database_url), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    socket = Path(str(url.query["host"])) / f".s.PGSQL.{url.query['port']}"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(len(SSL_REQUEST)) == SSL_REQUEST
        writer.write(b"S")
        try:
            await writer.start_tls(context)
        except OSError:
            return
        there, here = await asyncio.open_unix_connection(socket)
        await asyncio.gather(forward(reader, here), forward(there, writer))

    async with listening(serve) as port:
        yield port


async def test_a_server_is_verified_by_the_root_that_the_url_names(
    database_url: str, certificate: Path, tmp_path: Path
) -> None:
    name = make_url(database_url).database
    async with encrypting(database_url, certificate) as port:
        address = f"postgresql://jobtail@127.0.0.1:{port}/{name}?sslmode=verify-full&sslrootcert="
        async with Database(f"{address}{certificate}") as verified:
            assert await asked(verified, "SELECT 1") == 1
        async with Database(f"{address}system") as unverified:
            with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
                await asked(unverified, "SELECT 1")


async def starting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer as a Postgres that recovers from a crash."""
    await reader.readexactly(8)
    fields = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
    writer.write(b"E" + struct.pack("!i", 4 + len(fields)) + fields)
    writer.close()


async def test_a_database_that_is_starting_up_is_away_by_whatever_way_it_is_asked() -> None:
    async with listening(starting) as port, Database(f"postgresql://x@127.0.0.1:{port}/x?sslmode=disable") as database:
        ways: list[Callable[[], Awaitable[Any]]] = [database.ping, lambda: asked(database, "SELECT 1")]
        for ask in ways:
            with pytest.raises(JobtailError) as caught:
                await ask()
            assert (type(caught.value), str(caught.value)) == (
                Unavailable,
                "the database is away: the database system is starting up",
            )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"database": "missing"}, 'database "missing" does not exist'),
        ({"username": "who"}, 'role "who" does not exist'),
    ],
)
async def test_what_a_url_gets_wrong_is_told_as_such(database_url: str, change: dict[str, str], reason: str) -> None:
    wrong = make_url(database_url).set(**change).render_as_string(hide_password=False)  # type: ignore[arg-type] # texts only
    async with Database(wrong) as database:
        with pytest.raises(Unavailable, match=f"^the database cannot be reached as its URL says: {reason}$"):
            await database.ping()
