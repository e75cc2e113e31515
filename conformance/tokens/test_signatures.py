"""SEC-JWT-01 to SEC-JWT-12: a token is worth what its signature is worth."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from conformance.scenario import requires
from conformance.tokens.doors import the_victim, turned_away
from conformance.tokens.forging import (
    WELL_KNOWN,
    certificate,
    ec_jwk,
    encoded,
    public_forms,
    rsa_jwk,
    unsigned,
    with_ec,
    with_rsa,
    with_secret,
)
from conformance.trial import Trial
from harness.history.op import Via


@requires("SEC-JWT-01")
async def test_sec_jwt_01_no_algorithm(trial: Trial) -> None:
    """`alg: none` in every spelling, with and without something behind the last dot."""
    victim = await the_victim(trial)
    tokens = []
    for alg in ("none", "None", "NONE", "nOnE", "", None):
        said = unsigned({"alg": alg, "typ": "JWT"}, victim.fresh())
        tokens += [(f"alg {alg}", f"{said}."), (f"alg {alg}, some signature", f"{said}.{encoded(b'x')}")]
    await turned_away(trial, tokens)


@requires("SEC-JWT-02")
async def test_sec_jwt_02_no_signature(trial: Trial) -> None:
    """The victim's own token without its signature."""
    victim = await the_victim(trial)
    header, claims, _ = victim.account.access_token.split(".")
    await turned_away(trial, [("nothing behind the dot", f"{header}.{claims}."), ("no dot", f"{header}.{claims}")])


@requires("SEC-JWT-03")
async def test_sec_jwt_03_other_claims(trial: Trial) -> None:
    """An attacker's own token with the victim in its place, and with more rights, under the old signature."""
    victim, attacker = await the_victim(trial), await trial.shared("stranger")
    header, _, signature = attacker.access_token.split(".")
    changed = {
        "someone else's sub": victim.fresh(),
        "a later end": victim.fresh(exp=4_102_444_800),
        "another role": victim.fresh(role="service_role"),
    }
    await turned_away(trial, [(name, f"{header}.{encoded(said)}.{signature}") for name, said in changed.items()])


@requires("SEC-JWT-04")
async def test_sec_jwt_04_other_signature(trial: Trial) -> None:
    """The victim's token with a damaged signature, with that of another token, and signed with another secret."""
    victim, attacker = await the_victim(trial), await trial.shared("stranger")
    said, _, signature = victim.account.access_token.rpartition(".")
    damaged = ("B" if signature[0] == "A" else "A") + signature[1:]
    await turned_away(trial, [
        ("damaged", f"{said}.{damaged}"), ("cut off", f"{said}.{signature[:-8]}"),
        ("of another token", f"{said}.{attacker.access_token.rpartition('.')[2]}"),
        ("of another secret", with_secret({}, victim.fresh(), b"an attacker's secret of 32 characters")),
    ])  # fmt: skip


@requires("SEC-JWT-05")
async def test_sec_jwt_05_public_for_secret(trial: Trial) -> None:
    """HS256 with what everybody knows: the public keys in their usual forms, the key set, the anon key, the address."""
    victim = await the_victim(trial)
    url = f"{trial.target.supabase_url}/auth/v1/.well-known/jwks.json"
    reply = await trial.http.send("GET", url, headers={})
    keys = reply.json.get("keys", []) if isinstance(reply.json, dict) else []
    public = {"the key set": reply.raw, "the anon key": trial.target.anon_key.encode(), "the URL": url.encode()}
    tokens = [(name, with_secret({}, victim.fresh(), secret)) for name, secret in public.items()]
    for key in keys:
        named = {"kid": key["kid"]} if "kid" in key else {}
        for secret in public_forms(key):
            tokens += [("the public key", with_secret(header, victim.fresh(), secret)) for header in (named, {})]
    await turned_away(trial, tokens)


@requires("SEC-JWT-06")
async def test_sec_jwt_06_other_algorithm(trial: Trial) -> None:
    """RS256 and ES256 with the attacker's own key, also under the name of a key of the target."""
    victim = await the_victim(trial)
    named = {"kid": victim.header["kid"]} if "kid" in victim.header else {"kid": "0"}
    await turned_away(trial, [
        ("RS256", with_rsa({}, victim.fresh())), ("RS256 with a kid", with_rsa(named, victim.fresh())),
        ("ES256", with_ec({}, victim.fresh())), ("ES256 with a kid", with_ec(named, victim.fresh())),
    ])  # fmt: skip


@requires("SEC-JWT-07")
async def test_sec_jwt_07_inline_key(trial: Trial) -> None:
    """A key that the token itself brings along in `jwk`."""
    victim = await the_victim(trial)
    secret = b"a secret that the token tells of"
    symmetric = {"kty": "oct", "k": encoded(secret), "alg": "HS256"}
    await turned_away(trial, [
        ("RSA", with_rsa({"jwk": rsa_jwk()}, victim.fresh())), ("EC", with_ec({"jwk": ec_jwk()}, victim.fresh())),
        ("oct", with_secret({"jwk": symmetric}, victim.fresh(), secret)),
    ])  # fmt: skip


@requires("SEC-JWT-08")
async def test_sec_jwt_08_key_by_address(trial: Trial) -> None:
    """A key that is to be fetched, by `jku` or `x5u`: it is neither taken nor fetched."""
    victim = await the_victim(trial)
    async with _bait() as (url, asked):
        for name in ("jku", "x5u"):
            header = {name: f"{url}/{name}", "kid": rsa_jwk()["kid"]}
            await turned_away(trial, [(name, with_rsa(header, victim.fresh()))])
    if asked:
        op = trial.recorder().saw(victim.account.user, "d1", "fetched", Via.HTTP, paths=sorted(set(asked)))
        op_owner = await trial.http.send("GET", f"{trial.target.supabase_url}/auth/v1/health", headers={}, pages=True)
        raise op_owner.breach(
            f"refused, but the key was fetched from the token's own address ({op.value['paths']})", [op]
        )


@asynccontextmanager
async def _bait() -> AsyncIterator[tuple[str, list[str]]]:
    """A server of the attacker's keys on this machine; only a target on this machine can be caught at asking it."""
    asked: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"keys": [rsa_jwk()]})

    app = web.Application()
    app.add_routes([web.get("/{path}", serve)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", asked
    finally:
        await runner.cleanup()


@requires("SEC-JWT-09")
async def test_sec_jwt_09_certificate(trial: Trial) -> None:
    """A certificate that the token itself brings along in `x5c`."""
    victim = await the_victim(trial)
    await turned_away(trial, [("x5c", with_rsa({"x5c": [certificate()]}, victim.fresh()))])


@requires("SEC-JWT-10")
async def test_sec_jwt_10_key_by_path(trial: Trial) -> None:
    """A `kid` that names an empty file, a file of known content, or is SQL; signed with what it would bring."""
    victim = await the_victim(trial)
    tokens = [
        (f"kid {kid!r}", with_secret({"kid": kid}, victim.fresh(), secret))
        for kid, secret in (
            ("../../../../../../dev/null", b""), ("/dev/null", b"\0"), ("/proc/sys/kernel/randomize_va_space", b"2\n"),
            ("x' union select 'known' -- ", b"known"), ("http://127.0.0.1/key", b""), ("", b""), ("\0", b""),
        )
    ]  # fmt: skip
    strange: tuple[object, ...] = (None, 0, [], {"a": 1})
    odd = [(f"kid {kid!r}", with_secret({"kid": kid}, victim.fresh(), b"")) for kid in strange]
    await turned_away(trial, [*tokens, *odd])


@requires("SEC-JWT-11")
async def test_sec_jwt_11_blank_secret(trial: Trial) -> None:
    """A secret that was never set: nothing, a null byte, blanks, and how programs spell nothing."""
    victim = await the_victim(trial)
    blanks = (b"", b"\0", b" ", b"null", b"undefined", b"None", b"nil", b"\0" * 32)
    await turned_away(trial, [(f"the secret {blank!r}", with_secret({}, victim.fresh(), blank)) for blank in blanks])


@requires("SEC-JWT-12")
async def test_sec_jwt_12_well_known_secret(trial: Trial) -> None:
    """A secret out of the documentation, that of Supabase's own examples first."""
    victim = await the_victim(trial)
    await turned_away(
        trial, [(f"the secret {secret!r}", with_secret({}, victim.fresh(), secret.encode())) for secret in WELL_KNOWN]
    )
