"""Facts about this installation, each one kept once for all its servers."""

from sqlalchemy import Column, Named, Select, String, Table, Text, TypedColumns, bindparam, delete, select, update

from umbra.db.base import METADATA
from umbra.db.statements import insert
from umbra.db.transaction import Statement, Transaction


class _State(TypedColumns):
    name: Named[str] = Column(String(32), primary_key=True)
    value: Named[str] = Column(Text)


STATE = Table("server_state", METADATA, _State)
"""One fact about this installation: the canary, the first-run link."""


def value_of(name: str) -> Select[str]:
    """Return what selects a fact's value, for a statement that looks at something else as well."""
    return select(STATE.c.value).where(STATE.c.name == name)


_GET = Statement(select(STATE.c.value).where(STATE.c.name == bindparam("fact")))
_SWAP = Statement(
    update(STATE)
    .where(STATE.c.name == bindparam("fact"), STATE.c.value == bindparam("old"))
    .values(value=bindparam("new"))
    .returning(STATE.c.name)
)


async def get(tx: Transaction, name: str) -> str | None:
    """Return a fact's value, if it is known."""
    return (await tx.execute(_GET, fact=name)).scalar_one_or_none()


async def every(tx: Transaction) -> list[tuple[str, str]]:
    """Return all facts, by their names."""
    return [(row.name, row.value) for row in await tx.execute(select(STATE.c.name, STATE.c.value))]


async def put(tx: Transaction, name: str, value: str) -> None:
    """Set a fact, whatever it was."""
    await tx.execute(
        insert(STATE)
        .values(name=name, value=value)
        .on_conflict_do_update(index_elements=[STATE.c.name], set_={"value": value})
    )


async def put_first(tx: Transaction, name: str, value: str) -> None:
    """Set a fact unless it is known."""
    await tx.execute(insert(STATE).values(name=name, value=value).on_conflict_do_nothing())


async def swap(tx: Transaction, name: str, old: str, new: str) -> bool:
    """Set a fact that still has the value ``old``, and say whether it had; of many at once one finds it so."""
    return (await tx.execute(_SWAP, fact=name, old=old, new=new)).first() is not None


async def take(tx: Transaction, name: str, value: str | None = None) -> bool:
    """Forget a fact, provided that it has this value if one is given, and say whether it was there."""
    taken = delete(STATE).where(STATE.c.name == name).returning(STATE.c.name)
    if value is not None:
        taken = taken.where(STATE.c.value == value)
    return (await tx.execute(taken)).first() is not None
