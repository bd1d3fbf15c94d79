"""Passwords as Ledger has always kept them; Umbra need not know how."""

import hashlib
import hmac
import os
from dataclasses import dataclass

from fastapi.concurrency import run_in_threadpool

from ledger.models import Account


@dataclass(frozen=True)
class Hashed:
    """What an account holds of a password."""

    salt: bytes
    password_hash: bytes


async def hashed(password: str) -> Hashed:
    """Return a new password's hash."""
    salt = os.urandom(16)
    return Hashed(salt, await run_in_threadpool(_scrypt, password, salt))


async def is_right(account: Account, password: str) -> bool:
    """Say whether it is the account's password."""
    return hmac.compare_digest(account.password_hash, await run_in_threadpool(_scrypt, password, account.salt))


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)
