"""The audit log is sealed by every server and command at once, beside all sign-ins, into one chain without a gap."""

import pytest
from sqlalchemy import func, insert, select

from races.service import Service, outcomes
from umbra.audit import flows
from umbra.audit.tables import AUDIT
from umbra.db.state import STATE

pytestmark = pytest.mark.race

EVENTS = 1_000
SEALERS = 10


async def test_of_many_who_seal_at_once_nobody_breaks_the_chain(service: Service) -> None:
    """
    Two servers seal by themselves, ten others with them, and people sign in meanwhile.
    """
    owners = [await service.owner() for _ in range(5)]
    challenges = [mfa_token for owner in owners for mfa_token in await service.challenges(owner, 1)]
    await flows.seal(service.auth)
    head = select(STATE.c.name).where(STATE.c.name == flows.HEAD).with_for_update()

    async with service.holding(head) as crowd:
        await _leave_unsealed(service)
        await crowd.send(*(flows.seal(service.auth) for _ in range(SEALERS)))
        await crowd.send(
            *(service.verify(token, code=owner.code(1)) for owner, token in zip(owners, challenges, strict=True))
        )

    answers = await crowd.answers()
    assert {"accepted": 5} == outcomes(answers[SEALERS:])
    found = await flows.verify(service.auth)
    assert found.broken is None
    assert found.events == found.until.number
    async with service.auth.db.read() as tx:
        places = select(func.count(AUDIT.c.seq), func.count(func.distinct(AUDIT.c.seq)))
        assert [(found.events, found.events)] == [tuple(row) for row in await tx.execute(places)]


async def _leave_unsealed(service: Service) -> None:
    rows = [{"at": service.auth.clock.now(), "event": "signed_out"} for _ in range(EVENTS)]
    async with service.auth.db.begin() as tx:
        await tx.execute(insert(AUDIT).values(rows))
