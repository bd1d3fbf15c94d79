"""Umbra's tables beside a host's, out of its migrations: made, moved and looked after by the command line."""

import asyncio
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click.testing
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi import FastAPI
from sqlalchemy import MetaData, inspect

from embedded.conftest import ONE_OF_EACH
from embedded.hosts import Host
from umbra.cli.main import main
from umbra.core.errors import Misconfigured
from umbra.doctor import EXIT_CODES
from umbra.testing import Kit

pytestmark = pytest.mark.parametrize("shape", ONE_OF_EACH, indirect=True)

MODULE = """
from embedded import hosts
from embedded.conftest import ONE_OF_EACH
from umbra.core.clock import SystemClock
from umbra.crypto.argon import HashingPool
from umbra.testing import CHEAP

host = hosts.application(
    hosts.engine_of({url!r}), {key!r}, SystemClock(), HashingPool(CHEAP, threads=2), prefix={prefix!r}, is_apart=True
)
umbra = host.umbra
nothing = None
"""


class Console:
    """A terminal in the application's folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, *arguments: str, app: str = "hosts_app:umbra", code: int = 0) -> str:
        """Run a command, and return what it prints."""
        result = click.testing.CliRunner().invoke(main, ["--app", app, *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert code == result.exit_code, result.output
        return result.output


@pytest.fixture
def console(shape: tuple[str, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    url, key, prefix = shape
    (tmp_path / "hosts_app.py").write_text(MODULE.format(url=url, key=key, prefix=prefix))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Console(tmp_path)
    sys.modules.pop("hosts_app", None)


def the_host() -> Host:
    made: Host = importlib.import_module("hosts_app").host
    return made


def on(host: Host, work: Any) -> Any:
    """Do something on the host's database, from outside of any loop."""

    async def done() -> Any:
        try:
            return await host.run(work)
        finally:
            await host.umbra.dispose()

    return asyncio.run(done())


def prepare() -> Host:
    """Make the host's own tables, as its own migrations do, and an account."""
    host = the_host()

    async def done() -> None:
        await host.run(host.base.metadata.create_all)
        await host.add(1, "ann")
        await host.umbra.dispose()

    asyncio.run(done())
    return host


def test_the_command_makes_them_and_the_hosts_migrations_never_see_them(console: Console) -> None:
    host = prepare()
    assert "The schema is at" in console.run("db", "upgrade")

    def proposed(connection: Any) -> Any:
        options = {"include_name": host.umbra.include_name}
        return compare_metadata(MigrationContext.configure(connection, opts=options), host.base.metadata)

    assert [] == on(host, proposed)
    assert [] == json.loads(console.run("db", "check", "--json"))["differences"]
    made = set(on(host, lambda connection: inspect(connection).get_table_names()))
    ours = {name for name in made if host.umbra.include_name(name, "table") is False}
    assert made - ours - {"sqlite_sequence"} == {"members"}
    assert "The schema is at base." in console.run("db", "downgrade", "base")
    left = set(on(host, lambda connection: inspect(connection).get_table_names())) - {"sqlite_sequence"}
    assert {"members"} == {name for name in left if host.umbra.include_name(name, "table")}
    console.run("db", "upgrade")
    console.run("db", "upgrade")


def test_they_are_as_the_hosts_metadata_would_have_them(console: Console) -> None:
    host = prepare()
    console.run("db", "upgrade")
    declared = MetaData()
    host.umbra._guest.declare(declared)

    def differences(connection: Any) -> Any:
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, kind, _: kind != "table" or name in declared.tables}
        )
        return compare_metadata(context, declared)

    assert [] == on(host, differences)


def test_an_application_without_them_does_not_start_and_with_them_it_does(console: Console) -> None:
    host = prepare()

    async def started() -> None:
        try:
            async with host.umbra.lifespan(FastAPI()):
                kit = Kit(host.umbra)
                await kit.enrol(host.model(id=host.key_of(1), handle="ann", is_blocked=False))
        finally:
            await host.umbra.dispose()

    with pytest.raises(Misconfigured, match="db upgrade"):
        asyncio.run(started())
    console.run("db", "upgrade")
    asyncio.run(started())


def test_an_operator_looks_after_them_as_after_a_server(console: Console) -> None:
    host = prepare()
    console.run("db", "upgrade")

    async def enrolled() -> None:
        before = host.umbra.auth
        await host.umbra.check_ready()
        await Kit(host.umbra).enrol(host.model(id=host.key_of(1), handle="ann", is_blocked=False))
        host.umbra.auth = before
        await host.umbra.dispose()

    asyncio.run(enrolled())
    assert 1 == json.loads(console.run("keys", "status", "--json"))["keys"][0]["rows"]
    console.run("keys", "rotate")
    console.run("cleanup")
    assert "authenticator_confirmed" in console.run("audit", "list")
    assert "authenticator_confirmed" in console.run("audit", "list", "--user", "ann")
    bad = set() if host.umbra.auth.db.is_sqlite else {"durability"}  # the tests' PostgreSQL keeps nothing
    findings = json.loads(console.run("doctor", "--json", code=EXIT_CODES["durability"] if bad else 0))
    assert bad == {one["name"] for one in findings if not one["is_well"]}
    assert {"constraints", "durability", "clean-up", "audit log"} < {one["name"] for one in findings}
    assert "restore" not in {one["name"] for one in findings}  # an application has no folder of ours for a mark
    assert 1 == json.loads(console.run("after-restore", "--yes", "--json"))["backup_codes"]
    assert "backup_codes_due" in console.run("audit", "list", "--user", "ann")
    console.run("users", "reset-mfa", "ann", "--yes")
    assert 0 == json.loads(console.run("keys", "status", "--json"))["keys"][0]["rows"]


@pytest.mark.parametrize("command", [["users", "list"], ["users", "disable", "ann"], ["mail", "list"], ["serve"]])
def test_accounts_and_serving_are_the_applications(console: Console, command: list[str]) -> None:
    assert "the application's" in console.run(*command, code=1)


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("hosts_app:nothing", "is no Umbra"),
        ("hosts_app", "is no Umbra"),
        ("no_such_module:umbra", "there is no module no_such_module"),
    ],
)
def test_a_name_that_is_none_is_told(console: Console, app: str, said: str) -> None:
    assert said in console.run("db", "check", app=app, code=1)


def test_a_new_key_is_printed_for_an_application(console: Console) -> None:
    assert 44 == len(console.run("keys", "new").strip())
