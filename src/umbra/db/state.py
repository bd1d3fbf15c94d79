"""Facts about this installation, each one kept once for all its servers."""

from sqlalchemy import Select, String, Text, delete, select, update
from sqlalchemy.orm import Mapped, mapped_column

from umbra.db.base import Base
from umbra.db.statements import insert
from umbra.db.transaction import Transaction


class StateRow(Base):
    """One fact about this installation: the canary, the first-run link."""

    __tablename__ = "server_state"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


def value_of(name: str) -> Select[str]:
    """Return what selects a fact's value, for a statement that looks at something else as well."""
    return select(StateRow.value).where(StateRow.name == name)


async def get(tx: Transaction, name: str) -> str | None:
    """Return a fact's value, if it is known."""
    return (await tx.execute(value_of(name))).scalar_one_or_none()


async def every(tx: Transaction) -> list[tuple[str, str]]:
    """Return all facts, by their names."""
    return [(row.name, row.value) for row in await tx.execute(select(StateRow.name, StateRow.value))]


async def put(tx: Transaction, name: str, value: str) -> None:
    """Set a fact, whatever it was."""
    await tx.execute(
        insert(StateRow)
        .values(name=name, value=value)
        .on_conflict_do_update(index_elements=[StateRow.name], set_={"value": value})
    )


async def put_first(tx: Transaction, name: str, value: str) -> None:
    """Set a fact unless it is known."""
    await tx.execute(insert(StateRow).values(name=name, value=value).on_conflict_do_nothing())


async def swap(tx: Transaction, name: str, old: str, new: str) -> bool:
    """Set a fact that still has the value ``old``, and say whether it had; of many at once one finds it so."""
    swapped = (
        update(StateRow).where(StateRow.name == name, StateRow.value == old).values(value=new).returning(StateRow.name)
    )
    return (await tx.execute(swapped)).first() is not None


async def take(tx: Transaction, name: str, value: str | None = None) -> bool:
    """Forget a fact, provided that it has this value if one is given, and say whether it was there."""
    taken = delete(StateRow).where(StateRow.name == name).returning(StateRow.name)
    if value is not None:
        taken = taken.where(StateRow.value == value)
    return (await tx.execute(taken)).first() is not None
