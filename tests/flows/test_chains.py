"""Statements that go together, and what happens when one of them finds nothing to do."""

from typing import Any

import pytest
from sqlalchemy import ColumnElement, Select, bindparam, literal, select

from umbra.auth import Auth
from umbra.db.transaction import Chain


def held(given: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return select(literal("shown").label("word")).where(given)


def perhaps(given: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return select(literal(1).label("one")).where(bindparam("is_so", type_=literal(1).type) == 1, given)


CHAINS = {
    "needed": Chain(held, perhaps, shown=0),
    "then": Chain(held, then=[perhaps, held]),
    "after a break": Chain(perhaps, held, then=[held]),
}


@pytest.mark.parametrize(
    ("chain", "is_so", "expected"),
    [
        ("needed", 1, (2, "shown")),
        ("needed", 0, (1, None)),
        ("then", 1, (3, "shown")),
        ("then", 0, (1, "shown")),
        ("after a break", 1, (3, "shown")),
        ("after a break", 0, (0, None)),
    ],
)
async def test_a_chain_holds_with_what_it_needs_and_goes_on_as_far_as_it_can(
    chain: str, is_so: int, expected: tuple[int, str | None], auth: Auth
) -> None:
    async with auth.db.begin() as tx:
        count, row = await tx.follow(CHAINS[chain], is_so=is_so)
    assert expected == (count, row.word if row else None)
