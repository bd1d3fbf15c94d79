"""Room in PostgreSQL's pages for rows that change in place.

Pages that are full already get theirs as their rows change, or by ``VACUUM FULL``.

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-30
"""

from alembic import op

from umbra.db.migrate import here

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

FILLFACTORS = {"totp_authenticators": 90, "challenges": 70}
"""How full, in percent, a page is when a new row goes to another."""


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table, percent in FILLFACTORS.items():
            op.execute(f"ALTER TABLE {here().name(table)} SET (fillfactor = {percent})")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in FILLFACTORS:
            op.execute(f"ALTER TABLE {here().name(table)} RESET (fillfactor)")
