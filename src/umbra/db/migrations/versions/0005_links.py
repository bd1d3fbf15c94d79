"""Links in mails, and authenticators that can be brought back.

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-26
"""

import sqlalchemy as sa
from alembic import op

from umbra.db.migrate import here

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if not here().owns_accounts:
        return  # a host has mail of its own
    op.create_table(
        "mail_links",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("used_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_mail_links"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_mail_links_user_id_users", ondelete="CASCADE"),
        sa.UniqueConstraint("token_hash", name="uq_mail_links_token_hash"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mail_links_user_id", "mail_links", ["user_id"])
    op.create_index("ix_mail_links_expires_at", "mail_links", ["expires_at"])
    op.create_table(
        "removed_authenticators",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(), nullable=False),
        sa.Column("last_step", sa.Integer(), nullable=True),
        sa.Column("last_used_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("removed_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_removed_authenticators"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_removed_authenticators_user_id_users", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_removed_authenticators_user_id", "removed_authenticators", ["user_id"])
    op.create_index("ix_removed_authenticators_removed_at", "removed_authenticators", ["removed_at"])


def downgrade() -> None:
    if here().owns_accounts:
        op.drop_table("removed_authenticators")
        op.drop_table("mail_links")
