"""Runs Acme's migrations, in which Umbra's tables are like its own."""

import asyncio

from alembic import context
from sqlalchemy import Connection

from acme.main import engine  # importing it declares Umbra's tables
from acme.models import Base


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()


async def main() -> None:
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(main())
