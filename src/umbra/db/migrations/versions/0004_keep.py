"""Backup codes that are to be renewed, and the chain of the audit log.

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


CHAIN: dict[str, sa.Integer | sa.String] = {
    "seq": sa.Integer(),
    "subject": sa.String(64),
    "digest": sa.String(64),
    "seal": sa.String(64),
}


def upgrade() -> None:
    shape = here()
    audit = shape.name("audit_events")
    op.add_column(shape.name("backup_codes"), sa.Column("renewal_due_at", sa.DateTime(), nullable=True))
    for name, kind in CHAIN.items():
        op.add_column(audit, sa.Column(name, kind, nullable=True))
    _make_index("uq_audit_events_seq", "seq", where="seq IS NOT NULL", unique=True)
    _make_index("ix_audit_events_unsealed", "id", where="seq IS NULL")


def _make_index(name: str, column: str, *, where: str, unique: bool = False) -> None:
    shape, given = here(), sa.text(where)
    op.create_index(
        shape.name(name),
        shape.name("audit_events"),
        [column],
        unique=unique,
        sqlite_where=given,
        postgresql_where=given,
    )


def downgrade() -> None:
    shape = here()
    audit = shape.name("audit_events")
    op.drop_index(shape.name("ix_audit_events_unsealed"), audit)
    op.drop_index(shape.name("uq_audit_events_seq"), audit)
    for name in CHAIN:
        op.drop_column(audit, name)
    op.drop_column(shape.name("backup_codes"), "renewal_due_at")
