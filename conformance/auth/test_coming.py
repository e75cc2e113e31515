"""AUTH-01 to AUTH-11: how users come to be, and how they come back."""

from __future__ import annotations

from conformance.auth.accounts import (
    PASSWORD,
    come_anonymously,
    new_address,
    register,
    sign_in,
    sign_up,
    the_registered,
    who_am_i,
)
from conformance.scenario import requires
from conformance.trial import Trial
from conformance.wire.http import Reply
from harness.protocol.token import claims_of

SESSION = {"access_token", "token_type", "expires_in", "expires_at", "refresh_token", "user"}


def _is_session(reply: Reply) -> None:
    body = reply.expect(200).fields
    missing = SESSION - body.keys()
    reply.must(not missing, f"a session without {', '.join(sorted(missing))}")
    reply.must(str(body["token_type"]).lower() == "bearer", f"token_type {body['token_type']!r}")
    named = claims_of(str(body["access_token"])).get("sub")
    reply.must(named == body["user"]["id"], "a token that names another user than the session does")


@requires("AUTH-01")
async def test_auth_01_anonymous_sign_up(trial: Trial) -> None:
    """Who gives no address gets a session all the same, and is marked as anonymous."""
    reply = await come_anonymously(trial)
    _is_session(reply)
    reply.must(reply.fields["user"].get("is_anonymous") is True, "a user who is not marked as anonymous")
    (await who_am_i(trial, reply.fields["access_token"])).expect(200)


@requires("AUTH-02")
async def test_auth_02_every_sign_up_is_somebody_new(trial: Trial) -> None:
    """Two sign-ups are two users with two sessions and two refresh tokens."""
    first, second = (await come_anonymously(trial)).expect(200), (await come_anonymously(trial)).expect(200)
    second.must(first.fields["user"]["id"] != second.fields["user"]["id"], "the user of the sign-up before")
    for name in ("access_token", "refresh_token"):
        second.must(first.fields[name] != second.fields[name], f"the {name} of the sign-up before")


@requires("AUTH-03")
async def test_auth_03_sign_up_with_a_password(trial: Trial) -> None:
    """Address and password make an account, and open its first session."""
    await the_registered(trial)
    email = new_address()
    reply = await sign_up(trial, email)
    _is_session(reply)
    user = reply.fields["user"]
    reply.must(user.get("email") == email, f"the address {user.get('email')!r}")
    reply.must(user.get("is_anonymous") in {False, None}, "a user who is marked as anonymous")


@requires("AUTH-04")
async def test_auth_04_sign_in(trial: Trial) -> None:
    """The right password opens a session of the same user."""
    known = await the_registered(trial)
    reply = await sign_in(trial, known.email)
    _is_session(reply)
    reply.must(reply.fields["user"]["id"] == known.user, "a session of another user")


@requires("AUTH-05")
async def test_auth_05_a_wrong_password(trial: Trial) -> None:
    """A wrong password and an unknown address get the same answer: 400, invalid_credentials."""
    known = await the_registered(trial)
    wrong = (await sign_in(trial, known.email, "another password")).expect(400, code="invalid_credentials")
    unknown = (await sign_in(trial, new_address())).expect(400, code="invalid_credentials")
    unknown.must(wrong.json == unknown.json, f"{unknown.described}, which tells it from the wrong password of a user")


@requires("AUTH-06")
async def test_auth_06_a_taken_address(trial: Trial) -> None:
    """A second sign-up with one address opens no session: 422, user_already_exists; the first password stays."""
    known = await the_registered(trial)
    reply = await sign_up(trial, known.email, "an intruder's password")
    reply.expect(422, code=("user_already_exists", "email_exists"))
    (await sign_in(trial, known.email, "an intruder's password")).expect(400, code="invalid_credentials")
    (await sign_in(trial, known.email)).expect(200)


@requires("AUTH-07")
async def test_auth_07_a_weak_password(trial: Trial) -> None:
    """A password of a few characters is 422, weak_password."""
    await the_registered(trial)
    (await sign_up(trial, new_address(), "12345")).expect(422, code="weak_password")


@requires("AUTH-08")
async def test_auth_08_no_address(trial: Trial) -> None:
    """What is no address is 400, validation_failed."""
    await the_registered(trial)
    for email in ("nobody", "a@b@c", "@example.com", "a b@example.com"):
        (await sign_up(trial, email)).expect(400, code=("validation_failed", "email_address_invalid"))


@requires("AUTH-09")
async def test_auth_09_letters_of_an_address(trial: Trial) -> None:
    """An address is the same in capitals: the same account to sign in to, and taken."""
    known = await the_registered(trial)
    reply = (await sign_in(trial, known.email.upper())).expect(200)
    reply.must(reply.fields["user"]["id"] == known.user, "another user")
    (await sign_up(trial, known.email.upper())).expect(422, code=("user_already_exists", "email_exists"))


@requires("AUTH-10")
async def test_auth_10_nobody_raises_himself(trial: Trial) -> None:
    """What a sign-up says of role, rights and confirmation is passed over."""
    claims = {"role": "service_role", "app_metadata": {"role": "admin"}, "aud": "service", "is_super_admin": True}
    raised = await register(trial, **claims, data={"role": "service_role"})
    said = claims_of(str(raised.session["access_token"]))
    reply = (await who_am_i(trial, raised.session["access_token"])).expect(200)
    user = reply.fields
    reply.must(said.get("role") == "authenticated", f"a token with the role {said.get('role')!r}")
    reply.must(user.get("role") == "authenticated", f"a user with the role {user.get('role')!r}")
    reply.must("role" not in (user.get("app_metadata") or {}), f"app_metadata {user.get('app_metadata')}")
    reply.must(user.get("is_super_admin") in {None, False}, "a super admin")


@requires("AUTH-11")
async def test_auth_11_metadata(trial: Trial) -> None:
    """What a sign-up says in `data` comes back as user_metadata, in the user and in the token."""
    known = await register(trial, data={"display_name": "Maitreyi", "age": 30})
    reply = (await who_am_i(trial, known.session["access_token"])).expect(200)
    for place, came in (
        ("user", reply.fields.get("user_metadata")),
        ("token", claims_of(str(known.session["access_token"])).get("user_metadata")),
    ):
        good = isinstance(came, dict) and came.get("display_name") == "Maitreyi" and came.get("age") == 30
        reply.must(good, f"the user_metadata {came} in the {place}")
    (await sign_in(trial, known.email, PASSWORD)).expect(200)
