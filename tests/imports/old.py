"""Applications that people move over from, each with a database of its own."""

import asyncio
import base64
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import argon2
import pyotp
from alembic import command
from alembic.config import Config
from argon2.exceptions import VerifyMismatchError
from cryptography.fernet import Fernet
from sqlalchemy import Column, Connection, ForeignKeyConstraint, Integer, Text, create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import SchemaItem

from umbra.core.clock import FixedClock
from umbra.core.secret import Secret
from umbra.imports.asked import Asked

VECTORS = Path(__file__).parent.parent / "vectors"

MIGRATION_023 = """
from alembic import op
import sqlalchemy as sa

revision = "023"
down_revision = None

def upgrade():
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("username", sa.String(50), nullable=False, unique=True),
        sa.Column("password_hash", sa.String(255), nullable=False),
        sa.Column("totp_secret", sa.String(500), nullable=True),
        sa.Column("totp_enabled", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )
"""

MIGRATION_024 = """
from alembic import op
import sqlalchemy as sa

revision = "024"
down_revision = "023"

def upgrade():
    op.create_table(
        "totp_usage",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("code", sa.String(6), nullable=False),
        sa.Column("window", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.DateTime(), server_default=sa.text("NOW()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("user_id", "code", "window", name="uq_totp_user_code_window"),
    )
    op.create_index("ix_totp_usage_user_id", "totp_usage", ["user_id"])
    op.create_table(
        "backup_codes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("code_hash", sa.String(255), nullable=False),
        sa.Column("used_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), server_default=sa.text("NOW()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_backup_codes_user_id", "backup_codes", ["user_id"])
"""
"""The seed's schema, as it tells of it; SQLite knows no NOW()."""

ENV = """
from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
"""


def asked(*keys: str, **names: str) -> Asked:
    return Asked(keys=tuple(Secret(key) for key in keys), **names)


def run(url: str, work: Callable[[Connection], Any]) -> Any:
    """Do something on a database of either kind, and commit it; not within a loop."""
    if url.startswith("sqlite"):
        engine = create_engine(url, poolclass=NullPool)
        try:
            with engine.begin() as connection:
                return work(connection)
        finally:
            engine.dispose()

    async def there() -> Any:
        engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"), poolclass=NullPool)
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    return asyncio.run(there())


async def say(url: str, sql: str, **values: Any) -> None:
    """Run a statement, within a loop."""
    await do(url, lambda connection: connection.execute(text(sql), values))


async def do(url: str, work: Callable[[Connection], Any]) -> Any:
    """Do the same within a loop."""
    return await asyncio.to_thread(run, url, work)


def script(path: Path, sql: str) -> str:
    """Make a SQLite database out of a script, and return its address."""
    connection = sqlite3.connect(path)
    connection.executescript(sql)
    connection.close()
    return f"sqlite:///{path}"


class Seed:
    """The seed: its schema by its migrations, and its way to look at codes."""

    def __init__(self, url: str, folder: Path, clock: FixedClock) -> None:
        self.url = url
        self.clock = clock
        self.key = Fernet.generate_key().decode()
        self.hasher = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self._folder = folder / "seed"

    async def migrate(self) -> None:
        versions = self._folder / "versions"
        versions.mkdir(parents=True)
        now = "CURRENT_TIMESTAMP" if self.url.startswith("sqlite") else "NOW()"
        (self._folder / "env.py").write_text(ENV)
        (versions / "023_totp_columns.py").write_text(MIGRATION_023)
        (versions / "024_totp_mfa_tables.py").write_text(MIGRATION_024.replace("NOW()", now))

        def upgrade(connection: Connection) -> None:
            config = Config()
            config.set_main_option("script_location", str(self._folder))
            config.set_main_option("path_separator", "os")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

        await do(self.url, upgrade)

    async def add(self, name: str, *, enabled: bool = True, secret: str | None = None) -> str:
        """Make an account with an authenticator, and return its secret."""
        own = secret or pyotp.random_base32()
        values = {"n": name, "s": Fernet(self.key).encrypt(own.encode()).decode(), "e": enabled}
        await self.say(
            "INSERT INTO users (username, password_hash, totp_secret, totp_enabled) VALUES (:n, '', :s, :e)", values
        )
        return own

    async def add_codes(self, name: str, codes: Sequence[str]) -> None:
        for code in codes:
            await self.say(
                "INSERT INTO backup_codes (user_id, code_hash) SELECT id, :h FROM users WHERE username = :n",
                {"n": name, "h": self.hasher.hash(code)},
            )

    async def sign_in(self, name: str, code: str) -> bool:
        """Look at a code as the seed does: the window that matched is kept, and kept once."""
        ((user_id, token),) = await self.ask("SELECT id, totp_secret FROM users WHERE username = :n", {"n": name})
        app = pyotp.TOTP(Fernet(self.key).decrypt(token).decode())
        now = int(self.clock.now().timestamp()) // 30
        window = next((one for one in (now - 1, now, now + 1) if app.generate_otp(one) == code), None)
        if window is None:
            return False
        used_at = self.clock.now().replace(tzinfo=None)
        values = {"u": user_id, "c": code, "w": window, "at": used_at}
        try:
            await self.say('INSERT INTO totp_usage (user_id, code, "window", used_at) VALUES (:u, :c, :w, :at)', values)
        except IntegrityError:
            return False
        return True

    async def redeem(self, name: str, code: str) -> bool:
        rows = await self.ask(
            "SELECT b.id, code_hash FROM backup_codes b JOIN users u ON u.id = b.user_id"
            " WHERE username = :n AND used_at IS NULL", {"n": name},
        )  # fmt: skip
        for row_id, hashed in rows:
            try:
                self.hasher.verify(hashed, code)
            except VerifyMismatchError:
                continue
            values = {"i": row_id, "at": self.clock.now().replace(tzinfo=None)}
            await self.say("UPDATE backup_codes SET used_at = :at WHERE id = :i", values)
            return True
        return False

    async def say(self, sql: str, values: Mapping[str, Any]) -> None:
        await do(self.url, lambda connection: connection.execute(text(sql), dict(values)))

    async def ask(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        rows: list[Any] = await do(self.url, lambda connection: connection.execute(text(sql), dict(values)).all())
        return rows


def noon() -> datetime:
    return datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def base32(octets: bytes) -> str:
    return base64.b32encode(octets).decode().rstrip("=")


def columns_beside(key: Column[Any]) -> list[SchemaItem]:
    """Return the columns of a table beside a host's accounts whose own key, and a name, say nothing."""
    own: list[SchemaItem] = [Column("id", Integer, primary_key=True), Column("email", Text()), Column("otp", Text())]
    return [*own, Column("user_id", key.type), foreign_key("user_id", key)]


def foreign_key(name: str, to: Column[Any]) -> ForeignKeyConstraint:
    return ForeignKeyConstraint([name], [to])
