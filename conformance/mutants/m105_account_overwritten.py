"""M105: a sign-up with a taken address sets the account's password."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reference_server.auth.accounts import Accounts
from reference_server.auth.errors import AuthError
from reference_server.auth.passwords import hash_password
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M105",
    "title": "a sign-up with a taken address takes the account over",
    "why": "Insert or update.",
    "names": ["AUTH-06"],
}


TAKE = "update auth.users set encrypted_password = $2 where email = $1"


def mutate(server: Mutation) -> None:
    """The new password counts."""

    def overwriting(original: Callable[..., Any]) -> Callable[..., Any]:
        async def sign_up(accounts: Any, email: str, password: str, metadata: dict[str, Any]) -> Any:
            try:
                return await original(accounts, email, password, metadata)
            except AuthError as error:
                if error.code != "user_already_exists":
                    raise
            async with accounts._database.connection() as connection:
                await connection.execute(TAKE, email, await hash_password(password))
            return await accounts.sign_in(email, password)

        return sign_up

    server.wrap(Accounts, "sign_up", overwriting)
