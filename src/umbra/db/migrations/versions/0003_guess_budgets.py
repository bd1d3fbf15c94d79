"""What guesses cost in a year, and browsers from which a second factor was accepted, in a host's database too.

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-26
"""

import sqlalchemy as sa
from alembic import op

from umbra.db.migrate import here

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

LONG_OVER = "1970-01-01 00:00:00"


def upgrade() -> None:
    shape = here()
    attempts = shape.name("attempts")
    op.add_column(attempts, sa.Column("chances", sa.Integer(), server_default="0", nullable=False))
    op.add_column(attempts, sa.Column("period_ends", sa.DateTime(), server_default=LONG_OVER, nullable=False))
    if shape.owns_accounts:
        op.add_column("known_browsers", sa.Column("proved_at", sa.DateTime(), nullable=True))
        return
    op.create_table(
        shape.name("known_browsers"),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", shape.key, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("known_until", sa.DateTime(), nullable=False),
        sa.Column("proved_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=shape.name("pk_known_browsers")),
        shape.refers_to_account("fk_known_browsers_user_id_users"),
        sa.UniqueConstraint("user_id", "token_hash", name=shape.name("uq_known_browsers_user_id_token_hash")),
        sqlite_autoincrement=True,
    )
    op.create_index(shape.name("ix_known_browsers_known_until"), shape.name("known_browsers"), ["known_until"])


def downgrade() -> None:
    shape = here()
    if shape.owns_accounts:
        op.drop_column("known_browsers", "proved_at")
    else:
        op.drop_table(shape.name("known_browsers"))
    op.drop_column(shape.name("attempts"), "period_ends")
    op.drop_column(shape.name("attempts"), "chances")
