"""Of two operators who act on each other one is left (decision 0029)."""

import pytest
from sqlalchemy import or_, select, update

from races.service import NOBODY, Owner, Service
from umbra.core.errors import Refused
from umbra.sessions import flows as sessions
from umbra.sessions.errors import NotAuthenticated
from umbra.signin import operating
from umbra.signin.operating import Operator
from umbra.users.tables import USERS

pytestmark = pytest.mark.race


async def test_of_two_operators_who_disable_each_other_one_is_left(service: Service) -> None:
    one, other = await service.owner(), await service.owner()
    both = or_(USERS.c.id == one.user.id, USERS.c.id == other.user.id)
    async with service.auth.db.begin() as tx:
        await tx.execute(update(USERS).where(both).values(is_operator=True))
    calls = [await _disabling(service, one, other), await _disabling(service, other, one)]

    held = select(USERS.c.id).where(both).with_for_update(key_share=True)
    outcomes = await service.at_once((_outcome(service, *call) for call in calls), held=held)

    assert [True, False] == sorted((outcome is None for outcome in outcomes), reverse=True)
    assert 1 == sum(isinstance(outcome, NotAuthenticated) for outcome in outcomes)
    assert 1 == await service.count(USERS, both, USERS.c.disabled_at.is_(None))


async def _disabling(service: Service, by: Owner, whom: Owner) -> tuple[Operator, Owner]:
    """Return who acts, let in already, and on whom."""
    (token,) = await service.sessions(by, 1)
    return Operator(NOBODY, await sessions.current(service.auth, token)), whom


async def _outcome(service: Service, by: Operator, whom: Owner) -> Refused | None:
    try:
        await operating.disable(service.auth, by, whom.user.id)
    except Refused as refusal:
        return refusal
    return None
