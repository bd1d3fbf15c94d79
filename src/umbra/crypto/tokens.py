"""Random tokens that we hand out, and the hashes of them that we keep.

The hash is SHA-256 over purpose and token, without a key: 256 random bits cannot be guessed or tabulated, and a key
would have to change on every server at the same instant (docs/decisions/0012-token-hashes.md).
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from umbra.core.entropy import Entropy
from umbra.core.secret import Secret

TOKEN_BYTES = 32
"""256 bits; ASVS 7.2.3 asks for 128."""


@dataclass(frozen=True, slots=True)
class TokenKind:
    """One purpose of token; a token of one kind is never looked up as another."""

    prefix: str
    form: re.Pattern[str]

    def new(self, entropy: Entropy) -> Secret[str]:
        """Return a fresh token of this kind."""
        body = base64.urlsafe_b64encode(entropy.token_bytes(TOKEN_BYTES)).rstrip(b"=").decode()
        return Secret(self.prefix + body)

    def hash_of(self, text: str) -> str | None:
        """Return the hash under which a token is kept, or ``None`` when ``text`` is no token of this kind."""
        if self.form.fullmatch(text) is None:
            return None
        return hashlib.sha256(b"umbra.token:" + text.encode()).hexdigest()

    def hash_of_new(self, token: Secret[str]) -> str:
        """Return the hash of a token that we have just made."""
        hashed = self.hash_of(token.reveal())
        if hashed is None:
            raise ValueError("a token of another kind")
        return hashed


def hash_of_program(name: str) -> str:
    """Return what stands for a program that keeps no cookies, in the place of a token's hash."""
    return hashlib.sha256(b"umbra.program:" + name.encode()).hexdigest()


def _kind(prefix: str) -> TokenKind:
    return TokenKind(prefix, re.compile(prefix + "[A-Za-z0-9_-]{43}"))


SESSION = _kind("ums_")
CHALLENGE = _kind("umc_")
FIRST_RUN = _kind("umf_")
BROWSER = _kind("umb_")
LINK = _kind("uml_")
