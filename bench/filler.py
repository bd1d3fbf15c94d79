"""Filling PostgreSQL from within: millions of rows by ``generate_series``, with the indexes made afterwards.

Account ``n`` has authenticator ``n`` and a session; the hash of its token is that of the text ``session n``, unless
the account is one of a sample that somebody really signs in to.
"""

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from typing import Any

import asyncpg

TABLES = ["users", "totp_authenticators", "user_sessions"]
SECRET_CHARACTERS = 228
"""What a sealed secret has, or nearly."""

HASH_CHARACTERS = 97
"""What an Argon2id hash has."""

HASH_OF = "encode(sha256(('{kind} ' || {number})::text::bytea), 'hex')"
"""A token's hash that can be told from a number: as long, and as evenly spread, as a real one."""

QUICK = (
    "synchronous_commit = off",
    "session_replication_role = replica",
    "maintenance_work_mem = '1GB'",
    "work_mem = '256MB'",
)

_CLEAR = "TRUNCATE users, totp_authenticators, user_sessions, challenges, totp_usage, attempts, audit_events CASCADE"

_SAMPLE = "CREATE TEMPORARY TABLE sample (number integer PRIMARY KEY, secret text, token_hash text)"

_USERS = f"""
INSERT INTO users (id, username, username_key, password_hash, created_at)
SELECT n, 'user' || n, 'user' || n, repeat('x', {HASH_CHARACTERS}), timezone('utc', now())
FROM generate_series(1, $1::integer) n
"""  # noqa: S608

_AUTHENTICATORS = f"""
INSERT INTO totp_authenticators (id, user_id, name, name_key, secret, created_at, confirmed_at)
SELECT n, n, 'App', 'app', coalesce(secret, repeat('x', {SECRET_CHARACTERS})),
       timezone('utc', now()), timezone('utc', now())
FROM generate_series(1, $1::integer) n LEFT JOIN sample ON number = n
ORDER BY n
"""  # noqa: S608

_SESSIONS = f"""
INSERT INTO user_sessions (id, user_id, token_hash, created_at, last_seen_at, expires_at, authenticated_at,
                           second_factor_at, ip)
SELECT n, n, coalesce(token_hash, {HASH_OF.format(kind="session", number="n")}), t, t + $2, t + $3, t, t, '127.0.0.1'
FROM timezone('utc', now()) t, generate_series(1, $1::integer) n LEFT JOIN sample ON number = n
ORDER BY n
"""  # noqa: S608

_INDEXES = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE contype = 'u' AND conrelid = ANY ($1::text[]::regclass[])
UNION ALL
SELECT format('DROP INDEX %s', indexrelid::regclass), pg_get_indexdef(indexrelid)
FROM pg_index WHERE indrelid = ANY ($1::text[]::regclass[])
                AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""


Known = tuple[int, str, str]
"""An account of the sample: its number, its sealed secret, and the hash of its session's token."""


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    """Yield a connection on which filling is quick: commits are not waited for, foreign keys not looked at."""
    connection = await asyncpg.connect(url)
    try:
        for setting in QUICK:
            await connection.execute(f"SET {setting}")
        yield connection
    finally:
        await connection.close()


async def fill(url: str, accounts: int, sample: Sequence[Known] = ()) -> None:
    """Put so many accounts in the place of whatever is there, and let the database look at them once."""
    async with connected(url) as connection:
        await connection.execute(_SAMPLE)
        await connection.copy_records_to_table("sample", records=sample)
        await connection.execute("ANALYZE sample")
        async with connection.transaction():
            await connection.execute(_CLEAR)
            async with _indexes_made_afterwards(connection):
                await connection.execute(_USERS, accounts)
                await connection.execute(_AUTHENTICATORS, accounts)
                await connection.execute(_SESSIONS, accounts, timedelta(hours=6), timedelta(days=1))
        for table in TABLES:
            await connection.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {accounts})")
        await settle(connection, TABLES)


async def settle(connection: Any, tables: Iterable[str]) -> None:
    """Clear up behind a big change, so that nothing of it is still being written while somebody measures.

    Tables that are empty are left alone: once PostgreSQL knows that, it plans to read them from end to end.
    """
    for statement in (f"VACUUM (ANALYZE) {', '.join(tables)}", "CHECKPOINT"):
        await connection.execute(statement)


@contextlib.asynccontextmanager
async def _indexes_made_afterwards(connection: Any) -> AsyncIterator[None]:
    found = await connection.fetch(_INDEXES, TABLES)
    for drop, _ in found:
        await connection.execute(drop)
    yield
    for _, make in found:
        await connection.execute(make)
