"""Proofs of mail addresses, and when an account's second factor was changed.

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-26
"""

import sqlalchemy as sa
from alembic import op

from umbra.db.migrate import here

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if not here().owns_accounts:
        return  # addresses, and proving them, are the host's business
    op.add_column("users", sa.Column("factors_changed_at", sa.DateTime(), nullable=True))
    op.create_table(
        "email_proofs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("code_hash", sa.String(255), nullable=False),
        sa.Column("guesses", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("proved_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_email_proofs"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_email_proofs_user_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["user_sessions.id"],
            name="fk_email_proofs_session_id_user_sessions",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("session_id", name="uq_email_proofs_session_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_email_proofs_user_id", "email_proofs", ["user_id"])
    op.create_index("ix_email_proofs_expires_at", "email_proofs", ["expires_at"])


def downgrade() -> None:
    if not here().owns_accounts:
        return
    op.drop_table("email_proofs")
    op.drop_column("users", "factors_changed_at")
