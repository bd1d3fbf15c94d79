"""What the doctor finds: each thing made wrong for real, on both databases where it applies."""

import asyncio
import re
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import delete, insert, select, update

from support import postgres
from support.backups import backup_of
from support.mail import PostOffice, free_port
from support.people import Person
from umbra import doctor, restore, settings, upkeep
from umbra.audit import flows as audit
from umbra.audit.store import DatabaseSink
from umbra.audit.tables import AUDIT
from umbra.auth import Auth
from umbra.core import mark as marks
from umbra.core.clock import FixedClock, SystemClock
from umbra.core.entropy import SystemEntropy
from umbra.core.events import Client, Event, Happened
from umbra.crypto.argon import HashingPool
from umbra.crypto.keyring import Keyring, new_key
from umbra.db import durability, migrate, state
from umbra.db.opening import open_database
from umbra.db.sqlite import Sqlite
from umbra.doctor import EXIT_CODES, Finding
from umbra.mail.tables import OUTBOX
from umbra.settings import checked
from umbra.testing import CHEAP
from umbra.totp.tables import AUTHENTICATORS
from umbra.users.tables import USERS

Urls = dict[str, str]


@pytest.fixture(scope="module")
def durable() -> Iterator[str]:
    """A PostgreSQL that keeps what it has committed; the other tests' server does not."""
    with postgres.running(postgres.DURABLE) as address:
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
async def well(request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Auth]:
    """A healthy installation, on a database that no other test sees."""
    if request.param == "sqlite":
        url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'umbra.db')}"
    else:
        address = request.getfixturevalue("durable")
        await sql(f"{address}/postgres", "DROP DATABASE IF EXISTS examined WITH (FORCE)")
        await sql(f"{address}/postgres", "CREATE DATABASE examined")
        url = f"{address}/examined"
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    async with opened(url, folder) as made:
        if request.param == "postgresql":
            await migrate.upgrade(made.db)
        await upkeep.check_ready(made)
        yield made


class opened:  # noqa: N801 - used as a function
    """An Auth on a database, with a clock that is right."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        database, clock = open_database(url), SystemClock()
        self.auth = Auth(
            db=database,
            clock=clock,
            entropy=SystemEntropy(),
            keyring=Keyring.of(new_key().reveal()),
            hashing=HashingPool(CHEAP, threads=2),
            settings=settings.Settings(data_dir=folder),
            sink=DatabaseSink(database, clock),
        )

    async def __aenter__(self) -> Auth:
        return self.auth

    async def __aexit__(self, *_: object) -> None:
        self.auth.hashing.close()
        await self.auth.db.close()


async def sql(url: str, *statements: str) -> None:
    """Do what somebody does behind our back."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        for statement in statements:
            connection.executescript(statement)
        connection.close()
        return
    other = await asyncpg.connect(url)
    try:
        for statement in statements:
            await other.execute(statement)
    finally:
        await other.close()


def url_of(auth: Auth) -> str:
    if isinstance(auth.db, Sqlite):
        return f"sqlite:///{auth.db._path}"
    return str(auth.db._dsn)  # type: ignore[attr-defined]


async def found(auth: Auth) -> dict[str, Finding]:
    """Return what is not well."""
    return {one.name: one for one in await doctor.examine(auth) if not one.is_well}


async def detail(auth: Auth, name: str) -> str:
    return (await found(auth))[name].detail


async def test_a_healthy_installation_has_no_finding(well: Auth) -> None:
    everything = await doctor.examine(well)
    assert {} == await found(well)
    assert EXIT_CODES.keys() - {"database"} == {one.name for one in everything}
    assert {0} == {one.exit_code for one in everything}


async def test_an_old_schema_is_found_and_is_what_counts(well: Auth) -> None:
    await migrate.downgrade(well.db, "base")
    bad = await found(well)
    assert "migrations have not all run" in bad["schema"].detail
    assert "schema" == min(bad.values(), key=lambda one: one.exit_code).name


async def test_an_index_that_is_gone_is_found(well: Auth) -> None:
    await sql(url_of(well), "DROP INDEX ix_challenges_expires_at")
    assert {"schema"} == (await found(well)).keys()


REPLAY_GUARD = "uq_totp_user_code_window"


async def without(auth: Auth, table: str, constraint: str) -> None:
    """Take a constraint away, by whatever means the database has."""
    if not auth.db.is_sqlite:
        await sql(url_of(auth), f"ALTER TABLE {table} DROP CONSTRAINT {constraint} CASCADE")
        return
    connection = sqlite3.connect(url_of(auth).removeprefix("sqlite:///"))
    (text,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", [table]).fetchone()
    lines = [line for line in text.splitlines() if f"CONSTRAINT {constraint} " not in line]
    assert len(lines) < len(text.splitlines()), text
    rest = re.sub(r",\s*\)\Z", ")", "\n".join(lines).rstrip())
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.executescript(f"DROP TABLE {table}; {rest};")
    connection.close()


@pytest.mark.parametrize(
    ("table", "constraint", "said"),
    [
        ("totp_usage", REPLAY_GUARD, "totp_usage: not unique (user_id, code, window)"),
        ("users", "uq_users_username_key", "users: not unique (username_key)"),
        ("challenges", "uq_challenges_token_hash", "challenges: not unique (token_hash)"),
        ("user_sessions", "fk_user_sessions_user_id_users", "user_sessions: no foreign key (user_id)"),
        ("attempts", "pk_attempts", "attempts: no primary key (budget)"),
    ],
)
async def test_a_constraint_that_is_gone_is_found_though_the_version_is_the_newest(
    well: Auth, table: str, constraint: str, said: str
) -> None:
    await without(well, table, constraint)
    assert said in await detail(well, "constraints")


async def test_a_unique_index_on_a_part_of_the_rows_is_no_guard(well: Auth) -> None:
    await without(well, "totp_usage", REPLAY_GUARD)
    columns = 'totp_usage (user_id, code, "window")'
    await sql(url_of(well), f"CREATE UNIQUE INDEX {REPLAY_GUARD} ON {columns} WHERE user_id > 5")
    assert "totp_usage: not unique" in await detail(well, "constraints")
    await sql(url_of(well), f"CREATE UNIQUE INDEX whole ON {columns}")
    assert "constraints" not in await found(well)


async def test_a_foreign_key_that_does_something_else_is_found(well: Auth) -> None:
    if well.db.is_sqlite:
        path = url_of(well).removeprefix("sqlite:///")
        connection = sqlite3.connect(path)
        (text,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'backup_codes'").fetchone()
        connection.executescript(f"DROP TABLE backup_codes; {text.replace('ON DELETE CASCADE', '')};")
        connection.close()
    else:
        name = "fk_backup_codes_user_id_users"
        await sql(
            url_of(well),
            f"ALTER TABLE backup_codes DROP CONSTRAINT {name}",
            f"ALTER TABLE backup_codes ADD CONSTRAINT {name} FOREIGN KEY (user_id) REFERENCES users (id)",
        )
    assert "backup_codes: no foreign key (user_id)" in await detail(well, "constraints")


async def test_a_guard_that_is_there_by_name_only_is_found(well: Auth) -> None:
    """
    An index that failed to build, a constraint that nobody validated, triggers that are switched off; on SQLite a row
    that was written while references were not looked at.
    """
    orphan = (
        "INSERT INTO backup_codes (user_id, code_hash, selector, created_at) "
        "VALUES (4711, 'x', 'y', '2026-01-01 00:00:00')"
    )
    if well.db.is_sqlite:
        await sql(url_of(well), orphan)
        assert "backup_codes: row without what it refers to: users" == await detail(well, "constraints")
        return
    name, table = "fk_backup_codes_user_id_users", "backup_codes"
    await sql(url_of(well), f"ALTER TABLE {table} DISABLE TRIGGER ALL", orphan)
    assert f"{table}: trigger of a foreign key disabled: {name}" in await detail(well, "constraints")
    await sql(
        url_of(well),
        f"ALTER TABLE {table} ENABLE TRIGGER ALL",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (user_id) REFERENCES users (id) "
        "ON DELETE CASCADE NOT VALID",
    )
    assert f"{table}: constraint not validated: {name}" == await detail(well, "constraints")
    twice = "INSERT INTO server_state VALUES ('a', 'same'), ('b', 'same')"
    with pytest.raises(asyncpg.UniqueViolationError):
        await sql(url_of(well), twice, "CREATE UNIQUE INDEX CONCURRENTLY halfway ON server_state (value)")
    assert "server_state: index not valid: halfway" in await detail(well, "constraints")


@pytest.mark.parametrize("pragma", ["synchronous = NORMAL", "synchronous = OFF", "foreign_keys = OFF"])
async def test_a_sqlite_connection_that_loses_things_is_found(
    sqlite_template: Path, tmp_path: Path, pragma: str
) -> None:
    shutil.copy(sqlite_template, tmp_path / "umbra.db")
    async with opened(f"sqlite:///{tmp_path}/umbra.db", tmp_path) as auth:
        async with auth.db.read() as tx:
            tx._connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]  # which the next reader gets
        assert pragma.partition(" ")[0] in await detail(auth, "durability")


async def test_a_sqlite_file_without_a_log_is_found(sqlite_template: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_template, tmp_path / "umbra.db")
    async with opened(f"sqlite:///{tmp_path}/umbra.db", tmp_path) as auth:
        assert [] == await durability.slips(auth.db)
        async with auth.db.read() as tx:
            tx._connection.execute("PRAGMA journal_mode = DELETE")  # type: ignore[attr-defined]
        assert ["journal_mode=delete"] == await durability.slips(auth.db)


async def test_a_postgresql_that_loses_what_it_commits_is_found(empty_postgresql_url: str, tmp_path: Path) -> None:
    async with opened(empty_postgresql_url, tmp_path) as auth:
        await migrate.upgrade(auth.db)
        await upkeep.check_ready(auth)
        assert "fsync=off, full_page_writes=off, synchronous_commit=off" in await detail(auth, "durability")


@pytest.mark.parametrize("setting", ["synchronous_commit=off", "default_transaction_read_only=on"])
async def test_a_setting_of_the_database_alone_is_found(durable: str, tmp_path: Path, setting: str) -> None:
    await sql(f"{durable}/postgres", "DROP DATABASE IF EXISTS examined WITH (FORCE)", "CREATE DATABASE examined")
    async with opened(f"{durable}/examined", tmp_path) as auth:
        await migrate.upgrade(auth.db)
        await upkeep.check_ready(auth)
    await sql(f"{durable}/postgres", f"ALTER DATABASE examined SET {setting}")
    async with opened(f"{durable}/examined", tmp_path) as auth:
        assert setting.removeprefix("default_") in await detail(auth, "durability")


async def test_a_standby_is_found(tmp_path: Path) -> None:
    with postgres.running(is_standby=True) as address:
        async with opened(f"{address}/postgres", tmp_path) as auth:
            said = await detail(auth, "durability")
    assert said.endswith("transaction_read_only=on, standby")


async def test_a_database_that_is_away_is_found(tmp_path: Path) -> None:
    async with opened(f"postgresql://umbra@127.0.0.1:{free_port()}/none", tmp_path) as auth:
        bad = await found(auth)
    assert "cannot be reached (UMBRA_DATABASE_URL)" == bad["database"].detail
    assert 12 == min(one.exit_code for one in bad.values())


async def test_keys_that_open_nothing_and_secrets_that_nobody_opens_are_found(auth: Auth, enrolled: Person) -> None:
    other = replace(auth, keyring=Keyring.of(new_key().reveal()))
    bad = await found(other)
    assert "do not open the data (UMBRA_ENCRYPTION_KEYS)" == bad["keys"].detail
    assert "1 unreadable, 0 moved to another row" == bad["secrets"].detail
    assert not {"keys", "secrets", "rotation"} & (await found(auth)).keys()


async def test_a_database_that_no_server_has_started_with_has_nothing_for_the_keys_to_open(auth: Auth) -> None:
    async with auth.db.begin() as tx:
        await tx.execute(delete(state.STATE))
    other = replace(auth, keyring=Keyring.of(new_key().reveal()))
    said = {one.name: one for one in await doctor.examine(other)}["keys"]
    assert (True, "nothing is sealed yet: no server has started") == (said.is_well, said.detail)


async def test_a_proof_that_the_keys_open_the_data_is_missed_where_anything_else_is_sealed(auth: Auth) -> None:
    async with auth.db.begin() as tx:
        await state.take(tx, upkeep.CANARY)
    assert "do not open the data (UMBRA_ENCRYPTION_KEYS)" == await detail(auth, "keys")


async def test_secrets_without_any_fact_about_the_database_are_found(auth: Auth, enrolled: Person) -> None:
    async with auth.db.begin() as tx:
        await tx.execute(delete(state.STATE))
    assert "do not open the data (UMBRA_ENCRYPTION_KEYS)" == await detail(auth, "keys")


async def test_a_secret_in_another_row_is_found(auth: Auth, enrolled: Person) -> None:
    async with auth.db.begin() as tx:
        await tx.execute(update(AUTHENTICATORS).values(id=AUTHENTICATORS.c.id + 1))
    assert "0 unreadable, 1 moved to another row" == await detail(auth, "secrets")


async def test_secrets_under_an_older_key_are_found_until_they_are_rotated(auth: Auth, enrolled: Person) -> None:
    newer = replace(auth, keyring=Keyring.of(new_key().reveal(), *auth.keyring._read()))
    assert "1 secrets under an older key" == await detail(newer, "rotation")
    await upkeep.rotate(newer, lambda _: None)
    assert "rotation" not in await found(newer)


LIMIT = timedelta(seconds=5)
MORE = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("apart", "is_found"), [(LIMIT, False), (-LIMIT, False), (LIMIT + MORE, True), (-LIMIT - MORE, True)]
)
async def test_a_clock_that_is_off_is_found(
    well: Auth, monkeypatch: pytest.MonkeyPatch, apart: timedelta, is_found: bool
) -> None:
    now = datetime.now(UTC)

    async def says(_: object) -> datetime:
        return now

    monkeypatch.setattr(type(well.db), "clock", says)
    assert is_found == ("clock" in await found(replace(well, clock=FixedClock(now + apart))))


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_is_an_hour_off_the_databases_own_is_found(well: Auth, hours: int) -> None:
    clock = FixedClock(datetime.now(UTC) + timedelta(hours=hours))
    assert re.fullmatch(r"3[56]\d\d\.\d s from the database's", await detail(replace(well, clock=clock), "clock"))


async def test_a_folder_that_others_look_into_is_found(well: Auth) -> None:
    well.settings.data_dir.chmod(0o750)
    assert {"data directory": "open to other users"} == {name: one.detail for name, one in (await found(well)).items()}


@pytest.mark.parametrize(
    ("public_url", "proxies", "said"),
    [
        ("https://login.example.com", "127.0.0.2", None),
        ("https://login.example.com", "10.0.0.0/8, fc00::/7", None),
        ("https://login.example.com", "0.0.0.0/0", "0.0.0.0/0 is trusted"),
        ("https://login.example.com", "10.0.0.1, 0.0.0.0/7, 2000::/6", "0.0.0.0/7, 2000::/6 is trusted"),
        ("https://login.example.com", "::/0", "::/0 is trusted"),
        ("https://login.example.com", "", "none is trusted"),
        ("http://127.0.0.1:8000", "", None),
        ("http://127.0.0.1:8000", "127.0.0.2", "UMBRA_PUBLIC_URL is not https"),
    ],
)
async def test_proxies_that_do_not_fit_are_found(well: Auth, public_url: str, proxies: str, said: str | None) -> None:
    chosen = checked({"public_url": public_url, "trusted_proxies": proxies, "data_dir": well.settings.data_dir})
    bad = await found(replace(well, settings=chosen))
    assert (said is not None) == ("proxies" in bad)
    assert said is None or said in bad["proxies"].detail


async def test_what_no_server_has_deleted_is_found_after_twenty_minutes(
    auth: Auth, enrolled: Person, clock: FixedClock
) -> None:
    await enrolled.challenge()
    clock.move(timedelta(minutes=25))  # the challenge has expired exactly 20 minutes ago, and the used code before
    await upkeep.clean_up(auth)
    assert "clean-up" not in await found(auth)
    await enrolled.challenge()
    clock.move(timedelta(minutes=25) - timedelta(microseconds=1))
    assert "clean-up" not in await found(auth)
    clock.move(timedelta(microseconds=1))
    assert "1 rows past their life for more than 20 minutes" == await detail(auth, "clean-up")
    await upkeep.clean_up(auth)
    assert "clean-up" not in await found(auth)


async def test_mail_that_does_not_get_out_is_found(auth: Auth, enrolled: Person, clock: FixedClock) -> None:
    office = PostOffice(free_port())
    given: dict[str, Any] = {"smtp_url": office.url, "mail_from": "umbra@login.example"}
    told = replace(auth, settings=checked({**given, "data_dir": auth.settings.data_dir}))
    assert "the server cannot be used (ConnectionRefusedError); 0 waiting, 0 given up" == await detail(told, "mail")
    async with auth.db.begin() as tx:
        user_id = (await tx.execute(select(USERS.c.id))).first()
        assert user_id is not None
        await tx.execute(
            insert(OUTBOX).values(
                user_id=user_id.id,
                recipient="a@mail.example",
                kind="test",
                message_id="m",
                detail={},
                created_at=clock.now(),
                attempts=0,
                next_attempt_at=clock.now(),
            )
        )
    with office.is_open():
        clock.move(timedelta(hours=1))
        assert "mail" not in await found(told)
        clock.move(timedelta(microseconds=1))
        assert "1 waiting for more than an hour" in await detail(told, "mail")
        assert [] == office.subjects()


async def happens(auth: Auth) -> None:
    await auth.sink.record(Happened(Event.SIGNED_OUT, Client()))


async def facts(auth: Auth) -> list[tuple[str, str]]:
    async with auth.db.read() as tx:
        return sorted(await state.every(tx))


async def served(auth: Auth) -> None:
    """Do what a server does every two seconds."""
    await audit.seal(auth)
    await restore.keep_mark(auth)


async def said_of(auth: Auth, name: str) -> tuple[bool, str]:
    (one,) = [one for one in await doctor.examine(auth) if one.name == name]
    return one.is_well, one.detail


NO_MARK = (True, "no mark yet: no server has started with this database and this data directory")
AS_FAR = (True, "as far as its mark, or made safe since")


async def test_a_database_that_no_server_has_seen_has_no_mark_and_gets_none_by_looking(auth: Auth) -> None:
    async with auth.db.begin() as tx:
        await state.take(tx, upkeep.NAME)
    await happens(auth)
    before = await facts(auth)
    assert NO_MARK == await said_of(auth, "restore")
    assert (before, {}) == (await facts(auth), marks.read(auth.settings.data_dir))
    await served(auth)
    assert AS_FAR == await said_of(auth, "restore")


async def test_another_databases_mark_is_none_of_this_one(auth: Auth) -> None:
    await served(auth)
    async with auth.db.begin() as tx:
        await upkeep.give_name(auth, tx)
    assert NO_MARK == await said_of(auth, "restore")


async def test_a_database_is_older_than_its_mark_when_a_single_event_is_missing(
    auth: Auth, database_url: str, clock: FixedClock
) -> None:
    await happens(auth)
    await served(auth)
    async with backup_of(auth.db, database_url) as backup:
        await backup.restore()
        assert AS_FAR == await said_of(auth, "restore")
        await happens(auth)
        await audit.seal(auth)
        assert AS_FAR == await said_of(auth, "restore")
        await restore.keep_mark(auth)
        await backup.restore()
        mark = marks.read(auth.settings.data_dir)
        bad = (await found(auth))["restore"]
        assert (22, True) == (bad.exit_code, "older than what this server has seen of it" in bad.detail)
        assert mark == marks.read(auth.settings.data_dir)
        clock.move(timedelta(seconds=1))
        await restore.make_safe(auth)
        assert AS_FAR == await said_of(auth, "restore")


async def test_a_database_without_a_name_is_found_beside_a_mark(auth: Auth) -> None:
    await served(auth)
    async with auth.db.begin() as tx:
        await state.take(tx, upkeep.NAME)
    before = await facts(auth)
    assert "has no name of ours" in await detail(auth, "restore")
    assert before == await facts(auth)


async def test_a_mark_that_nobody_can_read_is_found_and_left(auth: Auth) -> None:
    file = auth.settings.data_dir / marks.FILE
    file.write_text("[]")
    assert f"{file} cannot be read (AttributeError)" in await detail(auth, "restore")
    assert "[]" == file.read_text()


async def test_looking_for_a_mark_makes_no_key_where_the_backup_is_from_before_there_was_one(auth: Auth) -> None:
    await happens(auth)
    await served(auth)
    async with auth.db.begin() as tx:
        await tx.execute(delete(AUDIT))
        await state.take(tx, audit.KEY)
        await state.take(tx, audit.HEAD)
    before = await facts(auth)
    assert {"restore"} == (await found(auth)).keys() - {"data directory", "durability", "clock"}
    assert before == await facts(auth)


async def test_events_that_wait_for_their_seal_are_found_after_ten_minutes(auth: Auth, clock: FixedClock) -> None:
    await happens(auth)
    before = await facts(auth)
    clock.move(timedelta(minutes=10) - MORE)
    await happens(auth)
    assert (True, "it is sealed, and ends where it is noted to end") == await said_of(auth, "audit log")
    clock.move(MORE)
    assert "audit log" not in await found(auth)
    clock.move(MORE)
    bad = (await found(auth))["audit log"]
    assert (23, "events wait for their seal for more than 10 minutes") == (bad.exit_code, bad.detail)
    assert before == await facts(auth)
    await audit.seal(auth)
    clock.move(timedelta(days=1))
    assert "audit log" not in await found(auth)


async def test_an_audit_key_that_the_keys_do_not_open_is_found(auth: Auth) -> None:
    await happens(auth)
    await audit.seal(auth)
    other = replace(auth, keyring=Keyring.of(new_key().reveal()))
    assert "the keys do not open its key (UMBRA_ENCRYPTION_KEYS)" == await detail(other, "audit log")
    async with auth.db.begin() as tx:
        await state.put(tx, audit.KEY, await state.get(tx, upkeep.CANARY) or "")
    assert "the keys do not open its key (UMBRA_ENCRYPTION_KEYS)" == await detail(auth, "audit log")


@pytest.mark.parametrize("head", ["1:" + "0" * 64, "2:" + "0" * 64, "3:" + "0" * 64, "nonsense", ""])
async def test_a_head_that_is_not_the_end_of_the_log_is_found(auth: Auth, head: str) -> None:
    await happens(auth)
    await happens(auth)
    await audit.seal(auth)
    async with auth.db.begin() as tx:
        await state.put(tx, audit.HEAD, head)
    assert "what is noted as its end is not its end (umbra audit verify)" == await detail(auth, "audit log")


async def test_a_tail_that_was_cut_is_found_and_a_head_that_was_taken_away_is_noted_by_whoever_seals(
    auth: Auth,
) -> None:
    await happens(auth)
    await happens(auth)
    await audit.seal(auth)
    async with auth.db.begin() as tx:
        await tx.execute(delete(AUDIT).where(AUDIT.c.seq == 2))
    assert "audit log" in await found(auth)
    async with auth.db.begin() as tx:
        await state.take(tx, audit.HEAD)
    assert "audit log" not in await found(auth)


async def test_whoever_seals_meanwhile_does_not_have_the_head_look_wrong(auth: Auth) -> None:
    """Head and end are looked at by one statement: between two, a server would move both."""

    async def sealing() -> None:
        for _ in range(40):
            await happens(auth)
            await audit.seal(auth)

    async def looking() -> list[bool]:
        return [(await audit.look_at_end(auth)).is_noted for _ in range(150)]

    looked = await asyncio.gather(looking(), looking(), sealing())
    assert {True} == {*looked[0], *looked[1]}


def test_no_two_findings_have_one_code() -> None:
    assert len(EXIT_CODES) == len(set(EXIT_CODES.values()))
    assert not {0, 1, 2, 3} & set(EXIT_CODES.values())
