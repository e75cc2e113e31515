"""Sign-up, tokens and claims, as Supabase Auth serves them."""

from reference_server.auth.claims import Claims
from reference_server.auth.tokens import TokenError, TokenSigner, TokenVerifier, anon_key

__all__ = ["Claims", "TokenError", "TokenSigner", "TokenVerifier", "anon_key"]
