"""A challenge makes one session, and an account has at most a hundred (contract 1.1 and 1.5, 6)."""

import pytest

from races.service import Service, challenges_of, outcomes
from umbra.challenge.store import MOST_OPEN
from umbra.challenge.tables import CHALLENGES
from umbra.sessions.tables import SESSIONS

pytestmark = pytest.mark.race


@pytest.mark.parametrize("kind_of_the_second", ["code", "backup_code"])
async def test_one_challenge_makes_one_session_though_two_proofs_are_right(
    service: Service, kind_of_the_second: str
) -> None:
    owner = await service.owner(apps=2)
    (mfa_token,) = await service.challenges(owner, 1)
    before = await service.count(SESSIONS, SESSIONS.c.user_id == owner.user.id)
    second = {"code": owner.code(0, app=1), "backup_code": owner.backup_codes[0]}[kind_of_the_second]

    answers = await service.at_once(
        [service.verify(mfa_token, code=owner.code(0)), service.verify(mfa_token, **{kind_of_the_second: second})],
        held=challenges_of(owner),
    )

    assert {"accepted": 1, "challenge_refused": 1} == outcomes(answers)
    assert before + 1 == await service.count(SESSIONS, SESSIONS.c.user_id == owner.user.id)


async def test_an_account_has_a_hundred_open_challenges_and_no_more(service: Service) -> None:
    owner = await service.owner()
    await service.challenges(owner, MOST_OPEN)

    answers = await service.at_once(
        (service.login(owner, ip=f"10.0.0.{number}") for number in range(20)), held=challenges_of(owner)
    )

    assert 20 == outcomes(answers)["accepted"]
    assert MOST_OPEN == await service.count(CHALLENGES, CHALLENGES.c.user_id == owner.user.id)
