"""The letters and digits of codes that people copy: Crockford's base32. Pure."""

from umbra.core.entropy import Entropy

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Without I, L, O (read as 1, 1, 0) and U."""

_CLEANED = str.maketrans({" ": None, "-": None, "I": "1", "L": "1", "O": "0"})


def characters(entropy: Entropy, count: int) -> str:
    """Return as many unguessable characters, of five bits each."""
    return "".join(ALPHABET[byte % 32] for byte in entropy.token_bytes(count))  # 256 is 8 * 32: no bias


def cleaned(typed: str) -> str:
    """Return a code as it is compared and hashed; nothing is left of what is not of ASCII."""
    return typed.upper().translate(_CLEANED) if typed.isascii() else ""
