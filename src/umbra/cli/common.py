"""What every command needs. Everything heavy is imported when it is used: ``umbra --help`` answers at once."""

import importlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from umbra.auth import Auth
    from umbra.embedded import Umbra

T = TypeVar("T")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def run(work: "Callable[[Auth], Awaitable[T]]") -> T:
    """Do ``work`` with an Auth of the environment's, or of the application that ``--app`` names, and close it again."""
    import asyncio

    async def worked() -> T:
        async with _opened() as auth:
            return await work(auth)

    return asyncio.run(worked())


@asynccontextmanager
async def _opened() -> "AsyncIterator[Auth]":
    from umbra import settings, wiring

    host = hosts_umbra()
    auth = wiring.build(settings.load()) if host is None else host.auth
    try:
        yield auth
    finally:
        auth.hashing.close()
        await (auth.db.close() if host is None else host.dispose())


def hosts_umbra() -> "Umbra[Any] | None":
    """Return the ``Umbra`` of the application that ``--app`` names, as that application has made it.

    Raises:
        Misconfigured: There is none of that name.
    """
    named: str | None = click.get_current_context().find_root().params["app"]
    if named is None:
        return None
    from umbra.core.errors import Misconfigured
    from umbra.embedded import Umbra

    module, _, attribute = named.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")  # the application is where the command is given
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ModuleNotFoundError as error:
        raise Misconfigured(f"UMBRA_APP (--app): there is no module {error.name}") from None
    if not isinstance(found, Umbra):
        raise Misconfigured(f"UMBRA_APP (--app): {named} is no Umbra; write it as module:name")
    return found


def refuse_host() -> None:
    """Refuse a command that is about accounts, mail or a server, where those are an application's.

    Raises:
        Misconfigured: ``--app`` names one.
    """
    from umbra.core.errors import Misconfigured

    if hosts_umbra() is not None:
        raise Misconfigured("accounts, mail and serving are the application's (--app)")


async def ready(auth: "Auth") -> None:
    """Make sure that a command works on a current schema with keys that fit; a SQLite file is brought up to date.

    Raises:
        Misconfigured: It cannot.
    """
    from umbra import upkeep
    from umbra.db import migrate

    host = hosts_umbra()
    if host is not None:
        await host.check_ready()
        return
    if auth.db.is_sqlite:
        await migrate.upgrade(auth.db)
    await upkeep.check_ready(auth)


def show(value: Any, text: str, *, as_json: bool) -> None:
    """Print ``value`` for a script, or ``text`` for a person."""
    click.echo(json.dumps(value, default=str) if as_json else text)
