"""Backup codes that are to be renewed.

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-26
"""

import sqlalchemy as sa
from alembic import op

from umbra.db.migrate import here

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(here().name("backup_codes"), sa.Column("renewal_due_at", sa.DateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column(here().name("backup_codes"), "renewal_due_at")
