from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from umbra.cli.common import hosts_umbra, json_option, show

if TYPE_CHECKING:
    from umbra.db.database import Database

T = TypeVar("T")


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
@click.argument("target", default="head")
def upgrade(target: str) -> None:
    """Bring the schema up to TARGET, by default the newest."""
    from umbra.db import migrate

    _move(lambda database: migrate.upgrade(database, target))


@db.command(context_settings={"ignore_unknown_options": True})  # -1 is a target
@click.argument("target")
def downgrade(target: str) -> None:
    """Take the schema back to TARGET; 'base' takes everything away."""
    from umbra.db import migrate

    _move(lambda database: migrate.downgrade(database, target))


@db.command()
@json_option
@click.pass_context
def check(ctx: click.Context, *, as_json: bool) -> None:
    """Compare the schema with what this version of Umbra wants."""
    from umbra.db import migrate

    differences = _run(migrate.differences)
    show({"differences": differences}, "\n".join(differences) or "The schema is current.", as_json=as_json)
    ctx.exit(1 if differences else 0)


def _move(work: "Callable[[Database], Awaitable[None]]") -> None:
    from umbra.db import revision

    async def moved(database: "Database") -> str:
        await work(database)
        return await revision.of(database) or "base"

    click.echo(f"The schema is at {_run(moved)}.")


def _run(work: "Callable[[Database], Awaitable[T]]") -> T:
    """Do ``work`` on the database alone: a schema is no business of the keys'."""
    import asyncio

    from umbra import settings as settings_of
    from umbra import wiring
    from umbra.db.opening import open_database

    async def worked() -> T:
        host = hosts_umbra()
        if host is not None:
            try:
                return await work(host.auth.db)
            finally:
                await host.dispose()
        settings = settings_of.load()
        wiring.prepare_data_dir(settings)
        database = open_database(settings.url_of_database)
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(worked())
