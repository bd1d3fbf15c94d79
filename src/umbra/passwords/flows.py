"""Making passwords."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from umbra.auth import Auth
from umbra.core.secret import Secret
from umbra.crypto.argon import Slot
from umbra.passwords import policy


@asynccontextmanager
async def prepared(auth: Auth, password: Secret[str], *, username: str, email: str | None) -> AsyncIterator[Slot]:
    """Refuse a bad new password, and reserve the pool for hashing a good one.

    Raises:
        PasswordRefused: It is not good enough.
        Busy: The pool is full.
    """
    async with auth.hashing.slot() as slot:
        await slot.run(
            lambda: policy.check(
                password,
                min_length=auth.settings.password_min_length,
                username=username,
                email=email,
                service=auth.settings.issuer,
            )
        )
        yield slot
