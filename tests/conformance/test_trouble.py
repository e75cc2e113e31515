"""A target that is in trouble is not wrong: one clear sentence, nothing red, no traceback."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.results.run import ConformRun
from harness.results.store import load_run

UNDECIDED = {"unknown", "error", "not-verified"}


def results(folder: Path) -> ConformRun:
    """The stored results."""
    run = load_run(folder / "r.json")
    assert isinstance(run, ConformRun)
    return run


def is_one_line(ended: Any, says: str, folder: Path) -> None:
    """Nothing was tested: one line on standard error says why, and every requirement is an error for that reason."""
    assert ended.status == 3 and ended.out == ""
    assert ended.err.startswith("error: ") and says in ended.err and ended.err.count("\n") == 1
    run = results(folder)
    assert run.verdict == "unknown" and {result.status for result in run.requirements} == {"error"}


async def test_nobody_listens(suite: Any, tmp_path: Path) -> None:
    """The address is wrong, or the server is down."""
    is_one_line(await suite("http://127.0.0.1:9"), "cannot be reached", tmp_path)


async def test_a_page_instead_of_a_target(suite: Any, serve_fake: Any, misdeeds: Any, tmp_path: Path) -> None:
    """A proxy's page, or a wrong port."""
    fake = await serve_fake(turn=misdeeds["shows_a_page"], turns_at=-1)
    is_one_line(await suite(fake.url), "not JSON", tmp_path)


async def test_a_wrong_certificate(suite: Any, serve_fake: Any, tmp_path: Path) -> None:
    """A certificate that nobody vouches for."""
    fake = await serve_fake(tls=_self_signed(tmp_path))
    is_one_line(await suite(fake.url), "certificate verify failed", tmp_path)


@pytest.mark.parametrize(
    ("deed", "says"), [("closes_sign_up", "Signups not allowed"), ("limits_sign_up", "Request rate limit reached")]
)
async def test_nobody_gets_in(suite: Any, serve_fake: Any, misdeeds: Any, tmp_path: Path, deed: str, says: str) -> None:
    """Sign-up is closed, or limited for longer than anybody waits."""
    fake = await serve_fake(sign_up=misdeeds[deed])
    is_one_line(await suite(fake.url), says, tmp_path)


@pytest.mark.parametrize(("deed", "says"), [("dies", "no answer"), ("shows_a_page", "no answer of the service itself")])
async def test_trouble_in_the_middle(
    suite: Any, serve_fake: Any, misdeeds: Any, tmp_path: Path, deed: str, says: str
) -> None:
    """It dies, or a proxy's page stands in for it, after the first requests: nothing is red, and each line says it."""
    fake = await serve_fake(turn=misdeeds[deed], turns_at=3)
    ended = await suite(fake.url, "-k", "AUTH-2")
    assert ended.status in {2, 3} and ended.err == ""
    assert ended.lines[-1] == "t: unknown"
    chosen = [result for result in results(tmp_path).requirements if result.id.startswith("AUTH-2")]
    undecided = [result for result in chosen if result.status != "pass"]
    assert len(undecided) >= 6 and {result.status for result in undecided} <= UNDECIDED
    assert any(says in result.detail for result in undecided)
    assert all(result.detail and "\n" not in result.detail for result in undecided)


async def test_a_target_that_hangs(suite: Any, serve_fake: Any, misdeeds: Any, tmp_path: Path) -> None:
    """It stops answering after it let us in: what was asked of it is unknown, and the line says how long was waited."""
    fake = await serve_fake(turn=misdeeds["stays_silent"], turns_at=1)
    ended = await suite(fake.url, "-k", "AUTH-23")
    assert ended.status in {2, 3} and ended.err == ""
    assert "timed out" in ended.lines[0] and ended.lines[-1] == "t: unknown"
    assert all(result.status in UNDECIDED for result in results(tmp_path).requirements)


def _self_signed(folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate of its own making for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start.replace(year=2060))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
    encoding = serialization.Encoding.PEM
    text = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(text + made.sign(key, hashes.SHA256()).public_bytes(encoding))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context
