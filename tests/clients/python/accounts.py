"""Accounts: sign-up, password, anonymous, refresh with rotation, user, sign-out, and the errors of each."""

from __future__ import annotations

from report import Suite, equal, fails, holds, includes, matches
from stage import PASSWORD, Stage, aside


async def auth(stage: Stage, suite: Suite) -> None:
    email = f"clients-{aside()}-{aside()}@example.com"
    client = await stage.client()

    async def sign_up():
        answer = await client.auth.sign_up({"email": email, "password": PASSWORD, "options": {"data": {"name": "Ada"}}})
        holds("session", answer.session and answer.session.refresh_token, "a session at once", answer.session)
        user = answer.user
        equal(
            "user",
            (user.email, user.role, user.aud, user.is_anonymous),
            (email, "authenticated", "authenticated", False),
        )
        equal("user_metadata", user.user_metadata.get("name"), "Ada")
        equal("identities", [identity.provider for identity in user.identities], ["email"])
        return answer

    signed_up = await suite.must("sign_up with e-mail and password gives a session", sign_up)

    async def get_user():
        equal("user", (await client.auth.get_user()).user.id, signed_up.user.id)

    async def get_claims():
        claims = (await client.auth.get_claims())["claims"]
        includes(
            "claims", dict(claims), {"sub": signed_up.user.id, "role": "authenticated", "email": email, "aal": "aal1"}
        )

    async def taken():
        await fails((await stage.client()).auth.sign_up({"email": email, "password": PASSWORD}),
                    code="user_already_exists", status=422, message="User already registered")  # fmt: skip

    async def weak():
        weak = {"email": f"clients-{aside()}@example.com", "password": "short"}
        error = await fails((await stage.client()).auth.sign_up(weak), name="AuthWeakPasswordError", status=422)
        equal("reasons", error.reasons, ["length"])

    async def sign_in():
        answer = await (await stage.client()).auth.sign_in_with_password({"email": email, "password": PASSWORD})
        equal("user", answer.user.id, signed_up.user.id)
        equal("token_type", answer.session.token_type, "bearer")

    async def wrong_password():
        given = {"email": email, "password": "something else"}
        await fails((await stage.client()).auth.sign_in_with_password(given),
                    code="invalid_credentials", status=400, message="Invalid login credentials")  # fmt: skip

    async def anonymous():
        answer = await (await stage.client()).auth.sign_in_anonymously()
        equal("user", (answer.user.is_anonymous, answer.user.role), (True, "authenticated"))

    await suite.check("get_user asks the server for the same user", get_user)
    await suite.check("get_claims gives the listed claims", get_claims)
    await suite.check("sign_up with a taken e-mail: user_already_exists", taken)
    await suite.check("sign_up with a weak password: reasons", weak)
    await suite.check("sign_in_with_password gives a session of the same user", sign_in)
    await suite.check("sign_in_with_password with a wrong password: invalid_credentials", wrong_password)
    await suite.check("sign_in_anonymously gives an anonymous user", anonymous)
    await _sessions(stage, suite, email)


async def _sessions(stage: Stage, suite: Suite, email: str) -> None:
    async def sign_in():
        client = await stage.client()
        answer = await client.auth.sign_in_with_password({"email": email, "password": PASSWORD})
        return client, answer.session

    client, first = await suite.must("a session to refresh", sign_in)

    async def refresh():
        answer = await client.auth.refresh_session()
        holds("refresh_token", answer.session.refresh_token != first.refresh_token, "another one")
        equal("user", (await client.auth.get_user()).user.id, first.user.id)

    async def unknown():
        await fails(
            (await stage.client()).auth.refresh_session("abcdefghijkl"), code="refresh_token_not_found", status=400
        )

    async def take_over():
        other = await stage.client()
        _, session = await sign_in()
        answer = await other.auth.set_session(session.access_token, session.refresh_token)
        equal("user", answer.user.id, session.user.id)

    async def sign_out():
        here, session = await sign_in()
        await here.auth.sign_out()
        equal("session", await here.auth.get_session(), None)
        await fails((await stage.client()).auth.get_user(session.access_token), code="session_not_found", status=403)
        error = await fails((await stage.client()).auth.refresh_session(session.refresh_token), status=400)
        matches("code", error.code, "^refresh_token_|^session_")

    async def garbage():
        error = await fails((await stage.client()).auth.get_user("not.a.token"), code="bad_jwt", status=403)
        matches("message", error.message, "^invalid JWT: unable to parse or verify signature")

    async def wrong_key():
        await fails((await stage.client("wrong")).auth.sign_in_anonymously(), status=401, message="Invalid API key")

    await suite.check("refresh_session gives new tokens", refresh)
    await suite.check("an unknown refresh token: refresh_token_not_found", unknown)
    await suite.check("set_session takes a session over to another client", take_over)
    await suite.check("sign_out ends the session everywhere", sign_out)
    await suite.check("get_user with something that is no token: bad_jwt", garbage)
    await suite.check("a wrong project key is refused at the gateway", wrong_key)
