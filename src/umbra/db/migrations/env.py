"""Alembic's entry: runs on the connection that umbra.db.migrate hands over."""

from alembic import context

from umbra.db.revision import VERSION_TABLE

shape = context.config.attributes["shape"]
context.configure(
    connection=context.config.attributes["connection"],
    shape=shape,
    version_table=shape.name(VERSION_TABLE),
    render_as_batch=True,
    compare_type=True,
    compare_server_default=False,  # now() reads back differently from each database
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
