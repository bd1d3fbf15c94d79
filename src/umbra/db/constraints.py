"""Whether the database enforces what the tables declare: its own catalogue is asked, and no migration believed."""

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection, ForeignKeyConstraint, Inspector, Table, UniqueConstraint, inspect, text
from sqlalchemy.engine.interfaces import ReflectedForeignKeyConstraint

from umbra.db.database import Database

_ON_POSTGRES = {
    "index not valid": (
        "SELECT t.relname, i.relname FROM pg_index "
        "JOIN pg_class t ON t.oid = indrelid JOIN pg_class i ON i.oid = indexrelid "
        "WHERE NOT (indisvalid AND indisready AND indislive) AND pg_table_is_visible(t.oid)"
    ),
    "constraint not validated": (
        "SELECT t.relname, conname FROM pg_constraint JOIN pg_class t ON t.oid = conrelid "
        "WHERE NOT convalidated AND pg_table_is_visible(t.oid)"
    ),
    "trigger of a foreign key disabled": (
        "SELECT DISTINCT t.relname, conname FROM pg_trigger JOIN pg_class t ON t.oid = tgrelid "
        "JOIN pg_constraint c ON c.oid = tgconstraint "
        "WHERE tgisinternal AND tgenabled NOT IN ('O', 'A') AND pg_table_is_visible(t.oid)"
    ),
}
"""What is there by name and does nothing: left by an index that failed to build, or a restore in a hurry."""

_ON_SQLITE = {"row without what it refers to": 'SELECT DISTINCT "table", "parent" FROM pragma_foreign_key_check'}


async def broken(database: Database) -> list[str]:
    """Return each key, unique rule and reference that is declared and not enforced."""
    return await database.migrating(lambda connection: list(_broken(connection, database)))


def _broken(connection: Connection, database: Database) -> Iterator[str]:
    inspector = inspect(connection)
    there = set(inspector.get_table_names())
    for declared in database.declared().sorted_tables:
        if declared.name in there:
            yield from (f"{declared.name}: {what}" for what in _lacking(inspector, declared))
        else:
            yield f"{declared.name}: no such table"
    ours = database.declared().tables
    for what, query in (_ON_SQLITE if database.is_sqlite else _ON_POSTGRES).items():
        yield from (f"{table}: {what}: {name}" for table, name in connection.execute(text(query)) if table in ours)


def _lacking(inspector: Inspector, declared: Table) -> Iterator[str]:
    key = _columns(column.name for column in declared.primary_key.columns)
    if frozenset(inspector.get_pk_constraint(declared.name)["constrained_columns"]) != key:
        yield f"no primary key ({', '.join(sorted(key))})"
    unique = _unique(inspector, declared.name)
    references = {_reference(one) for one in inspector.get_foreign_keys(declared.name)}
    for constraint in sorted(declared.constraints, key=lambda one: str(one.name)):
        match constraint:
            case UniqueConstraint() if _columns(constraint.columns.keys()) not in unique:
                yield f"not unique ({', '.join(constraint.columns.keys())})"
            case ForeignKeyConstraint() if _declared(constraint) not in references:
                yield f"no foreign key ({', '.join(constraint.column_keys)})"


def _unique(inspector: Inspector, name: str) -> set[frozenset[str]]:
    """Return the columns of each rule that is about all rows; an index on a part of them proves nothing."""
    whole = [
        one for one in inspector.get_indexes(name) if one["unique"] and not _is_partial(one.get("dialect_options"))
    ]
    found = [[column for column in one["column_names"] if column] for one in whole]
    found += [one["column_names"] for one in inspector.get_unique_constraints(name)]
    return {_columns(names) for names in found}


def _is_partial(options: object) -> bool:
    return isinstance(options, dict) and any(name.endswith("_where") for name in options)


_Reference = tuple[frozenset[str], str, str]


def _reference(there: ReflectedForeignKeyConstraint) -> _Reference:
    action = there.get("options", {}).get("ondelete") or ""
    return _columns(there["constrained_columns"]), there["referred_table"], str(action).upper()


def _declared(constraint: ForeignKeyConstraint) -> _Reference:
    target = constraint.elements[0].target_fullname.rpartition(".")[0]
    return _columns(constraint.column_keys), target, str(constraint.ondelete or "").upper()


def _columns(names: Iterable[str]) -> frozenset[str]:
    return frozenset(names)
