"""Looking at backup codes, and making them."""

from collections.abc import Sequence
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


async def match(slot: Slot, stored: Sequence[StoredCode], proof: BackupProof) -> BackupMatch:
    """Look at a backup code: exactly one hash, whether it is right, wrong, used or unknown.

    Where codes were imported it is one for each of those, since nothing says which of them is meant; they are all
    looked at, whichever is right, and one after the other, in the one place in the pool that the guess has.

    Raises:
        CodeRefused: It is not right, or no longer good.
    """
    found = [one for one in stored if await slot.matches(one.code_hash, codes.compared_text(one.selector, proof))]
    if not stored:
        await slot.matches(None, proof.text)
    if not found:
        raise CodeRefused("wrong")
    for one in found:
        if one.used_at is None:
            return BackupMatch(one.id)
    raise CodeRefused("replayed")


async def fresh_set(auth: Auth, slot: Slot) -> FreshSet:
    """Make ten codes and hash them, outside of any transaction: ten hashes take a while."""
    made = codes.new_set(auth.entropy)
    hashes = await slot.hash(*(code.text for code in made))
    kept = [(code.selector, hashed) for code, hashed in zip(made, hashes, strict=True)]
    return FreshSet(tuple(Secret(code.shown()) for code in made), kept)
