"""Looking at backup codes, and making them."""

from dataclasses import dataclass

from umbra.auth import Auth
from umbra.backup_codes import codes
from umbra.backup_codes.store import StoredCode
from umbra.core.proof import BackupProof, CodeRefused
from umbra.core.secret import Secret
from umbra.crypto.argon import Slot


@dataclass(frozen=True, slots=True)
class FreshSet:
    """Ten new codes: what the owner is shown once, and what is kept."""

    shown: tuple[Secret[str], ...]
    kept: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class BackupMatch:
    """A backup code that was right and unused when it was looked at; it is not spent yet."""

    code_id: int


async def match(slot: Slot, stored: StoredCode | None, proof: BackupProof) -> BackupMatch:
    """Look at a backup code: exactly one hash, whether it is right, wrong, used or unknown.

    Raises:
        CodeRefused: It is not right, or no longer good.
    """
    matches = await slot.matches(stored.code_hash if stored else None, proof.text)
    if stored is None or not matches:
        raise CodeRefused("wrong")
    if stored.used_at is not None:
        raise CodeRefused("replayed")
    return BackupMatch(stored.id)


async def fresh_set(auth: Auth, slot: Slot) -> FreshSet:
    """Make ten codes and hash them, outside of any transaction: ten hashes take a while."""
    made = codes.new_set(auth.entropy)
    hashes = await slot.hash(*(code.text for code in made))
    kept = [(code.selector, hashed) for code, hashed in zip(made, hashes, strict=True)]
    return FreshSet(tuple(Secret(code.shown()) for code in made), kept)
