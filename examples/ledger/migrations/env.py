"""Runs Ledger's migrations, which know nothing of Umbra's tables, and leave them alone."""

from alembic import context

from ledger.main import engine, umbra
from ledger.models import Base

with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=umbra.include_name,
    )
    with context.begin_transaction():
        context.run_migrations()
