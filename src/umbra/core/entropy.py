import secrets
from typing import Protocol


class Entropy(Protocol):
    """Where randomness comes from; nothing else in Umbra may ask."""

    def token_bytes(self, count: int) -> bytes:
        """Return ``count`` unguessable bytes."""
        ...


class SystemEntropy:
    """The operating system's generator (NIST SP 800-63B-4, 3.2.12)."""

    def token_bytes(self, count: int) -> bytes:
        """Return ``count`` bytes from the operating system."""
        return secrets.token_bytes(count)
