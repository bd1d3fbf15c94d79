"""Fernet tokens whose plaintext names the row that they belong to.

Fernet authenticates nothing beside its own text, so a token copied into another row would open there. The
plaintext therefore says where it belongs, and opening it elsewhere fails (docs/decisions/0009-fernet.md).
"""

import base64
import json
from dataclasses import dataclass, field

from umbra.core.ids import AuthenticatorId, UserId
from umbra.core.record import record
from umbra.core.secret import Secret
from umbra.crypto.keyring import Keyring

VERSION = 1


class MovedSecret(Exception):
    """The token opens, but it was sealed for another row or another purpose."""


@record
class Place:
    """Where a sealed secret belongs."""

    purpose: str
    user: object
    row: int

    @property
    def owner(self) -> int | str:
        """The account's key as JSON has it: a host's may be a UUID."""
        return self.user if isinstance(self.user, int) else str(self.user)


@dataclass(frozen=True, slots=True)
class SealedRow:
    """A sealed secret and the row that it belongs to; for rotation."""

    id: AuthenticatorId
    user_id: UserId
    sealed: str = field(repr=False)


def seal(keyring: Keyring, secret: Secret[bytes], place: Place) -> str:
    """Return ``secret`` sealed for ``place`` under the newest key."""
    text = json.dumps([VERSION, place.purpose, place.owner, place.row, base64.b64encode(secret.reveal()).decode()])
    return keyring.seal(text.encode())


def unseal(keyring: Keyring, token: str, place: Place) -> Secret[bytes]:
    """Return the secret that ``token`` holds for ``place``.

    Raises:
        UnreadableToken: No key opens it.
        MovedSecret: It belongs elsewhere.
    """
    plaintext, _ = keyring.open(token)
    match json.loads(plaintext):
        case [1, place.purpose, place.owner, place.row, str(secret)]:
            return Secret(base64.b64decode(secret))
        case _:
            raise MovedSecret
