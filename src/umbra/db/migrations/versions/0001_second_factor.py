"""Everything that the second factor stands on.

Revision ID: 0001
Revises:
Create Date: 2026-11-22
"""

import sqlalchemy as sa
from alembic import op

from umbra.db.migrate import here

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    shape = here()
    if shape.owns_accounts:
        _make_accounts()
    op.create_table(
        shape.name("user_sessions"),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", shape.key, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(), nullable=True),
        sa.Column("authenticated_at", sa.DateTime(), nullable=False),
        sa.Column("second_factor_at", sa.DateTime(), nullable=True),
        sa.Column("ip", sa.String(64), nullable=True),
        sa.Column("user_agent", sa.String(256), nullable=True),
        sa.PrimaryKeyConstraint("id", name=shape.name("pk_user_sessions")),
        shape.refers_to_account("fk_user_sessions_user_id_users"),
        sa.UniqueConstraint("token_hash", name=shape.name("uq_user_sessions_token_hash")),
        sqlite_autoincrement=True,
    )
    op.create_index(shape.name("ix_user_sessions_user_id"), shape.name("user_sessions"), ["user_id"])
    op.create_index(shape.name("ix_user_sessions_expires_at"), shape.name("user_sessions"), ["expires_at"])
    op.create_index(shape.name("ix_user_sessions_last_seen_at"), shape.name("user_sessions"), ["last_seen_at"])
    op.create_table(
        shape.name("challenges"),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", shape.key, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("guesses", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=shape.name("pk_challenges")),
        shape.refers_to_account("fk_challenges_user_id_users"),
        sa.UniqueConstraint("token_hash", name=shape.name("uq_challenges_token_hash")),
        sqlite_autoincrement=True,
    )
    op.create_index(shape.name("ix_challenges_user_id"), shape.name("challenges"), ["user_id"])
    op.create_index(shape.name("ix_challenges_expires_at"), shape.name("challenges"), ["expires_at"])
    op.create_table(
        shape.name("totp_authenticators"),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", shape.key, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("name_key", sa.String(128), nullable=True),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(), nullable=True),
        sa.Column("last_step", sa.Integer(), nullable=True),
        sa.Column("last_used_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("setup_session_id", sa.Integer(), nullable=True),
        sa.Column("setup_expires_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=shape.name("pk_totp_authenticators")),
        shape.refers_to_account("fk_totp_authenticators_user_id_users"),
        sa.ForeignKeyConstraint(
            ["setup_session_id"],
            [shape.name("user_sessions") + ".id"],
            name=shape.name("fk_totp_authenticators_setup_session_id_user_sessions"),
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("user_id", "name_key", name=shape.name("uq_totp_authenticators_user_id_name_key")),
        sa.UniqueConstraint("setup_session_id", name=shape.name("uq_totp_authenticators_setup_session_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(shape.name("ix_totp_authenticators_user_id"), shape.name("totp_authenticators"), ["user_id"])
    op.create_index(
        shape.name("ix_totp_authenticators_setup_expires_at"), shape.name("totp_authenticators"), ["setup_expires_at"]
    )
    op.create_table(
        shape.name("totp_usage"),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", shape.key, nullable=False),
        sa.Column("code", sa.String(6), nullable=False),
        sa.Column("window", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.DateTime(), server_default=sa.func.now(), nullable=False),
        sa.Column("authenticator_id", sa.Integer(), nullable=True),
        sa.Column("purpose", sa.String(32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=shape.name("pk_totp_usage")),
        shape.refers_to_account("fk_totp_usage_user_id_users"),
        sa.UniqueConstraint("user_id", "code", "window", name=shape.name("uq_totp_user_code_window")),
    )
    op.create_index(shape.name("ix_totp_usage_user_id"), shape.name("totp_usage"), ["user_id"])
    op.create_index(shape.name("ix_totp_usage_window"), shape.name("totp_usage"), ["window"])
    op.create_table(
        shape.name("backup_codes"),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", shape.key, nullable=False),
        sa.Column("code_hash", sa.String(255), nullable=False),
        sa.Column("used_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), server_default=sa.func.now(), nullable=False),
        sa.Column("selector", sa.String(8), nullable=False),
        sa.PrimaryKeyConstraint("id", name=shape.name("pk_backup_codes")),
        shape.refers_to_account("fk_backup_codes_user_id_users"),
        sa.UniqueConstraint("user_id", "selector", name=shape.name("uq_backup_codes_user_id_selector")),
    )
    op.create_index(shape.name("ix_backup_codes_user_id"), shape.name("backup_codes"), ["user_id"])
    op.create_table(
        shape.name("attempts"),
        sa.Column("budget", sa.String(100), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(), nullable=False),
        sa.Column("charged_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("budget", name=shape.name("pk_attempts")),
    )
    op.create_index(shape.name("ix_attempts_charged_at"), shape.name("attempts"), ["charged_at"])
    op.create_table(
        shape.name("audit_events"),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(64), nullable=True),
        sa.Column("user_id", shape.key, nullable=True),
        sa.Column("ip", sa.String(64), nullable=True),
        sa.Column("user_agent", sa.String(256), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=shape.name("pk_audit_events")),
        shape.refers_to_account("fk_audit_events_user_id_users", ondelete="SET NULL"),
        sqlite_autoincrement=True,
    )
    op.create_index(shape.name("ix_audit_events_user_id"), shape.name("audit_events"), ["user_id"])
    op.create_index(shape.name("ix_audit_events_at"), shape.name("audit_events"), ["at"])
    op.create_table(
        shape.name("server_state"),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=shape.name("pk_server_state")),
    )


def _make_accounts() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(128), nullable=False),
        sa.Column("username_key", sa.String(256), nullable=False),
        sa.Column("email", sa.String(254), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("password_version", sa.Integer(), server_default="0", nullable=False),
        sa.Column("is_operator", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("disabled_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("username_key", name="uq_users_username_key"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    shape = here()
    op.drop_table(shape.name("server_state"))
    op.drop_table(shape.name("audit_events"))
    op.drop_table(shape.name("attempts"))
    op.drop_table(shape.name("backup_codes"))
    op.drop_table(shape.name("totp_usage"))
    op.drop_table(shape.name("totp_authenticators"))
    op.drop_table(shape.name("challenges"))
    op.drop_table(shape.name("user_sessions"))
    if shape.owns_accounts:
        op.drop_table("users")
