from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Inspector, TableClause, column, insert, inspect, select

from umbra.core.errors import Misconfigured
from umbra.db import migrate, revision
from umbra.db.database import Database
from umbra.db.opening import open_database
from umbra.db.transaction import Chain
from umbra.totp.store import moved
from umbra.totp.tables import AUTHENTICATORS
from umbra.users import store as users
from umbra.users.tables import USERS

_CLASSES = TableClause("pg_class", column("relname"), column("reloptions"))
_CHANGES = TableClause("pg_stat_xact_user_tables", column("relname"), column("n_tup_upd"), column("n_tup_hot_upd"))
_OF_AUTHENTICATORS = _CHANGES.c.relname == AUTHENTICATORS.name


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, tmp_path: object) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    url: str = request.getfixturevalue("empty_postgresql_url")
    return url


both = pytest.mark.parametrize("empty_url", ["sqlite", "postgresql"], indirect=True)


async def tables(database: Database) -> set[str]:
    return set(await database.migrating(lambda connection: inspect(connection).get_table_names()))


@both
async def test_a_new_database_has_no_account(empty_url: str) -> None:
    database = open_database(empty_url)
    await migrate.upgrade(database)
    async with database.read() as tx:
        assert [] == await users.everybody(tx)
    await database.close()


@both
async def test_the_schema_goes_from_nothing_to_now_and_back(empty_url: str) -> None:
    database = open_database(empty_url)
    assert ["migrations have not all run"] == (await migrate.differences(database))[:1]
    await migrate.upgrade(database)
    assert [] == await migrate.differences(database)
    assert await revision.is_current(database)
    assert revision.HEAD == migrate.head()
    await migrate.upgrade(database)
    await migrate.downgrade(database, "base")
    assert {revision.VERSION_TABLE} == await tables(database) - {"sqlite_sequence"}
    await migrate.upgrade(database)
    assert [] == await migrate.differences(database)
    await database.close()


@both
async def test_an_unknown_revision_is_told(empty_url: str) -> None:
    database = open_database(empty_url)
    with pytest.raises(Misconfigured):
        await migrate.upgrade(database, "no-such-revision")
    await database.close()


@both
async def test_the_seeds_tables_are_as_the_seed_made_them(empty_url: str) -> None:
    database = open_database(empty_url)
    await migrate.upgrade(database)
    usage, codes = await _described(database, "totp_usage"), await _described(database, "backup_codes")
    await database.close()

    assert {
        "id": ("INTEGER", False),
        "user_id": ("INTEGER", False),
        "code": ("VARCHAR(6)", False),
        "window": ("INTEGER", False),
        "used_at": ("DATETIME", False),
    }.items() <= usage["columns"].items()
    assert {"uq_totp_user_code_window": ["user_id", "code", "window"]} == usage["unique"]
    assert ["user_id"] == usage["indexes"]["ix_totp_usage_user_id"]
    assert [("users", "CASCADE")] == usage["foreign"]

    assert {
        "id": ("INTEGER", False),
        "user_id": ("INTEGER", False),
        "code_hash": ("VARCHAR(255)", False),
        "used_at": ("DATETIME", True),
        "created_at": ("DATETIME", False),
    }.items() <= codes["columns"].items()
    assert ["user_id"] == codes["indexes"]["ix_backup_codes_user_id"]
    assert [("users", "CASCADE")] == codes["foreign"]


@both
async def test_every_constraint_has_a_name(empty_url: str) -> None:
    database = open_database(empty_url)
    await migrate.upgrade(database)
    names = await database.migrating(_constraint_names)
    await database.close()
    assert None not in names


def test_models_name_every_constraint_too() -> None:
    assert all(each.name for table in migrate.metadata().tables.values() for each in table.constraints)


async def _described(database: Database, table: str) -> dict[str, Any]:
    def described(inspector: Inspector) -> dict[str, Any]:
        columns = {
            each["name"]: (str(each["type"]).replace("TIMESTAMP", "DATETIME"), each["nullable"])
            for each in inspector.get_columns(table)
        }
        return {
            "columns": columns,
            "unique": {
                each["name"]: each["column_names"]
                for each in inspector.get_unique_constraints(table)
                if each["name"] and not each["name"].startswith("uq_backup")
            },
            "indexes": {each["name"]: each["column_names"] for each in inspector.get_indexes(table)},
            "foreign": [
                (each["referred_table"], each["options"].get("ondelete")) for each in inspector.get_foreign_keys(table)
            ],
        }

    return await database.migrating(lambda connection: described(inspect(connection)))


def _constraint_names(connection: object) -> list[object]:
    inspector = inspect(connection)
    assert isinstance(inspector, Inspector)
    names: list[object] = []
    for table in inspector.get_table_names():
        if table == revision.VERSION_TABLE:
            continue
        names.append(inspector.get_pk_constraint(table)["name"])
        names += [each["name"] for each in inspector.get_unique_constraints(table)]
        names += [each["name"] for each in inspector.get_foreign_keys(table)]
    return names


async def test_pages_are_as_full_as_the_tables_say(empty_postgresql_url: str) -> None:
    database = open_database(empty_postgresql_url)
    await migrate.upgrade(database)
    async with database.read() as tx:
        rows = (await tx.execute(select(_CLASSES.c.relname, _CLASSES.c.reloptions))).all()
    await database.close()
    ours = {
        name: [f"{option}={value}" for option, value in (table.dialect_options["postgresql"]["with"] or {}).items()]
        for name, table in migrate.metadata().tables.items()
    }
    assert ours == {row.relname: row.reloptions or [] for row in rows if row.relname in ours}


async def test_a_code_step_moves_its_authenticator_in_place_in_a_full_table(empty_postgresql_url: str) -> None:
    database = open_database(empty_postgresql_url)
    await migrate.upgrade(database)
    now, many = datetime(2026, 11, 30, tzinfo=UTC), range(1, 101)
    people = [
        {"username": f"u{n}", "username_key": f"u{n}", "password_hash": "-", "is_operator": False, "created_at": now}
        for n in many
    ]
    apps = [
        {"user_id": n, "name": "App", "name_key": "app", "secret": "s" * 228, "created_at": now, "confirmed_at": now}
        for n in many
    ]
    async with database.begin() as tx:
        await tx.execute(insert(USERS).values(people))
        await tx.execute(insert(AUTHENTICATORS).values(apps))
    async with database.begin() as tx:
        for n in (1, 50, 100):
            await tx.follow(Chain(moved), authenticator_id=n, user_id=n, step=1, now=now)
        rows = await tx.execute(select(_CHANGES.c.n_tup_upd, _CHANGES.c.n_tup_hot_upd).where(_OF_AUTHENTICATORS))
    await database.close()
    assert [(3, 3)] == [tuple(row) for row in rows]
