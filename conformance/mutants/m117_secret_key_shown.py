"""M117: the key set shows the secret."""

from __future__ import annotations

from typing import Any

from reference_server.auth.tokens import TokenSigner
from reference_server.mutation import Mutation

MUTANT = {
    "id": "M117",
    "title": "the key set holds a secret key",
    "why": "All keys of the signer, for convenience.",
    "names": ["AUTH-23"],
}


def mutate(server: Mutation) -> None:
    """The symmetric key stands among the public ones."""

    def public_keys(signer: Any) -> list[dict[str, Any]]:
        return [{"kty": "oct", "alg": "HS256", "k": signer._secret}]

    server.wrap(TokenSigner, "public_keys", lambda _original: public_keys)
