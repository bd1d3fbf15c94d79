"""Clean-up runs on every server, beside everything else, and frees nothing that was used (contract 1.5, 1 and 3)."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import insert, select

from races.service import Owner, Service, outcome, outcomes
from umbra import upkeep
from umbra.challenge.tables import CHALLENGES
from umbra.core.clock import FixedClock
from umbra.totp.tables import USED_CODES

pytestmark = pytest.mark.race

LEFTOVERS = 2 * upkeep.CLEANUP_BATCH_ROWS + 1


async def test_two_clean_ups_at_once_delete_everything_old_and_disturb_no_sign_in(service: Service) -> None:
    owners = [await service.owner() for _ in range(5)]
    challenges = [mfa_token for owner in owners for mfa_token in await service.challenges(owner, 1)]
    await upkeep.clean_up(service.auth)
    await _leave_old_rows(service, owners[0])
    old = select(USED_CODES.c.id).where(USED_CODES.c.window < 1_000_000).with_for_update()

    async with service.holding(old) as crowd:
        await crowd.send(upkeep.clean_up(service.auth), upkeep.clean_up(service.auth))
        await crowd.send(
            *(service.verify(token, code=owner.code(1)) for owner, token in zip(owners, challenges, strict=True))
        )

    first, second, *answers = await crowd.answers()
    rest = await upkeep.clean_up(service.auth)
    assert {"accepted": 5} == outcomes(answers)
    assert LEFTOVERS == first.used_codes + second.used_codes + rest.used_codes
    assert LEFTOVERS == first.challenges + second.challenges + rest.challenges


async def test_a_used_code_stays_refused_when_its_record_is_cleaned_away(service: Service) -> None:
    owner = await service.owner()
    first, second = await service.challenges(owner, 2)
    assert "accepted" == outcome(await service.verify(first, code=owner.code(1)))
    later = replace(service.auth, clock=FixedClock(service.auth.clock.now() + timedelta(minutes=4)))

    await service.at_once(upkeep.clean_up(later) for _ in range(2))

    assert 0 == await service.count(USED_CODES, USED_CODES.c.user_id == owner.user.id)
    assert "code_refused" == outcome(await service.verify(second, code=owner.code(1)))


async def _leave_old_rows(service: Service, owner: Owner) -> None:
    """Leave used codes and challenges that are past their life."""
    then = service.auth.clock.now() - timedelta(days=1)
    codes = [
        {"user_id": owner.user.id, "code": f"{number:06}", "window": number, "used_at": then}
        for number in range(LEFTOVERS)
    ]
    challenges = [
        {"user_id": owner.user.id, "token_hash": f"old {number}", "created_at": then, "expires_at": then, "guesses": 0}
        for number in range(LEFTOVERS)
    ]
    async with service.auth.db.begin() as tx:
        await tx.execute(insert(USED_CODES).values(codes))
        await tx.execute(insert(CHALLENGES).values(challenges))
