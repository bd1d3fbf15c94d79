"""A backup code counts once, and an account has one set of ten (contract 1.2 and 1.5, 1)."""

import pytest

from races.service import Service, backup_codes_of, outcomes
from umbra.backup_codes.tables import BACKUP_CODES
from umbra.sessions.tables import SESSIONS

pytestmark = pytest.mark.race


async def test_one_backup_code_signs_in_once_however_many_challenges_it_is_sent_with(service: Service) -> None:
    owner = await service.owner()
    challenges = await service.challenges(owner, 20)
    before = await service.count(SESSIONS, SESSIONS.c.user_id == owner.user.id)

    answers = await service.at_once(
        (service.verify(mfa_token, backup_code=owner.backup_codes[3]) for mfa_token in challenges),
        held=backup_codes_of(owner),
    )

    assert 1 == outcomes(answers)["accepted"]
    assert {"accepted", "code_refused", "attempts_spent"} >= outcomes(answers).keys()
    mine = BACKUP_CODES.c.user_id == owner.user.id
    assert 1 == await service.count(BACKUP_CODES, mine, BACKUP_CODES.c.used_at.is_not(None))
    assert before + 1 == await service.count(SESSIONS, SESSIONS.c.user_id == owner.user.id)


async def test_two_new_sets_at_once_leave_ten_codes_of_one_of_them(service: Service) -> None:
    owner = await service.owner(apps=2)  # codes of two apps: neither waits for the other's authenticator
    sessions = await service.sessions(owner, 2)

    answers = await service.at_once(
        (
            service.post("/totp/backup-codes/regenerate", {"password": owner.password, "code": code}, token=token)
            for token, code in zip(sessions, (owner.code(1, app=0), owner.code(1, app=1)), strict=True)
        ),
        held=backup_codes_of(owner),
    )

    assert {"accepted": 2} == outcomes(answers)
    assert 10 == await service.count(BACKUP_CODES, BACKUP_CODES.c.user_id == owner.user.id)
    challenges = await service.challenges(owner, 2)
    firsts = (answer.json()["backup_codes"][0] for answer in answers)
    tried = [
        await service.verify(mfa_token, backup_code=code) for mfa_token, code in zip(challenges, firsts, strict=True)
    ]
    assert {"accepted": 1, "code_refused": 1} == outcomes(tried)
