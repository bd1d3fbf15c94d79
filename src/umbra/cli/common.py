"""What every command needs. Everything heavy is imported when it is used: ``umbra --help`` answers at once."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from umbra.auth import Auth

T = TypeVar("T")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def run(work: "Callable[[Auth], Awaitable[T]]") -> T:
    """Do ``work`` with an Auth from the environment, and close it again."""
    from umbra import settings, wiring

    async def worked() -> T:
        auth = wiring.build(settings.load())
        try:
            return await work(auth)
        finally:
            auth.hashing.close()
            await auth.db.close()

    return asyncio.run(worked())


async def ready(auth: "Auth") -> None:
    """Make sure that a command works on a current schema with keys that fit; a SQLite file is brought up to date.

    Raises:
        Misconfigured: It cannot.
    """
    from umbra import upkeep
    from umbra.db import migrate

    if auth.db.is_sqlite:
        await migrate.upgrade(auth.db)
    await upkeep.check_ready(auth)


def show(value: Any, text: str, *, as_json: bool) -> None:
    """Print ``value`` for a script, or ``text`` for a person."""
    click.echo(json.dumps(value, default=str) if as_json else text)
