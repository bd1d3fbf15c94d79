"""Fifty guesses at once are no more than five (contract 1.5, 5)."""

import pytest
from sqlalchemy import select, update

from races.service import Service, challenges_of, guesses_of, outcomes
from umbra.attempts import store as attempts
from umbra.attempts.bound import FREE_FAILURES, cost_of
from umbra.attempts.store import Budget
from umbra.attempts.tables import ATTEMPTS
from umbra.backup_codes import codes
from umbra.core.entropy import SystemEntropy
from umbra.core.typed import folded

pytestmark = pytest.mark.race

ADDRESS = "192.0.2.7"


async def test_of_fifty_wrong_codes_at_once_five_are_looked_at(service: Service) -> None:
    owner = await service.owner()
    budget = attempts.totp_budget(owner.user.id)
    challenges = await service.challenges(owner, 50)

    answers = await service.at_once(
        (
            service.verify(mfa_token, code=code)
            for mfa_token, code in zip(challenges, owner.wrong_codes(50), strict=True)
        ),
        held=guesses_of(budget),
    )

    assert {"code_refused": FREE_FAILURES, "attempts_spent": 45} == outcomes(answers)
    assert [FREE_FAILURES] == await _failures(service, budget)


async def test_of_fifty_wrong_codes_at_once_from_a_known_browser_five_are_looked_at(service: Service) -> None:
    owner = await service.owner()
    browser = await service.browser(owner)
    budget = attempts.known_totp_budget(owner.user.id)
    await service.open_budget(budget)
    challenges = await service.challenges(owner, 50)

    answers = await service.at_once(
        (
            service.verify_in(browser, mfa_token, code)
            for mfa_token, code in zip(challenges, owner.wrong_codes(50), strict=True)
        ),
        held=guesses_of(budget),
    )

    assert {"code_refused": FREE_FAILURES, "attempts_spent": 45} == outcomes(answers)
    assert [FREE_FAILURES] == await _failures(service, budget)
    assert [0] == await _failures(service, attempts.totp_budget(owner.user.id))


async def test_the_last_chance_of_a_year_is_taken_once(service: Service) -> None:
    owner = await service.owner()
    cost = cost_of(1, service.auth.settings.guess_probability)
    budget = attempts.totp_budget(owner.user.id, cost)
    challenges = await service.challenges(owner, 20)
    async with service.auth.db.begin() as tx:
        last = update(ATTEMPTS).where(ATTEMPTS.c.budget == budget.name)
        await tx.execute(last.values(chances=cost.of - cost.chances))

    answers = await service.at_once(
        (
            service.verify(mfa_token, code=code)
            for mfa_token, code in zip(challenges, owner.wrong_codes(20), strict=True)
        ),
        held=guesses_of(budget),
    )

    assert {"code_refused": 1, "attempts_spent": 19} == outcomes(answers)
    assert [cost.of] == await service.numbers(select(ATTEMPTS.c.chances).where(ATTEMPTS.c.budget == budget.name))


async def test_a_browser_that_another_account_knows_has_no_guesses_of_its_own(service: Service) -> None:
    owner, other = await service.owner(), await service.owner()
    theirs = await service.browser(other)
    (mfa_token,) = await service.challenges(owner, 1)
    answer = await service.verify_in(theirs, mfa_token, owner.wrong_codes(1)[0])
    assert {"code_refused": 1} == outcomes([answer])
    assert [1] == await _failures(service, attempts.totp_budget(owner.user.id))
    assert [] == await _failures(service, attempts.known_totp_budget(owner.user.id))
    await service.login(owner, password="a wrong horse", ip=ADDRESS, browser=theirs)
    assert [1] == await _failures(service, attempts.password_budget(folded(owner.user.username), ADDRESS))


async def test_a_browser_that_has_proved_nothing_has_no_guesses_of_its_own(service: Service) -> None:
    owner = await service.owner()
    browser = await service.browser(owner, is_proved=False)
    (mfa_token,) = await service.challenges(owner, 1)
    await service.verify_in(browser, mfa_token, owner.wrong_codes(1)[0])
    assert [1] == await _failures(service, attempts.totp_budget(owner.user.id))


async def test_of_fifty_wrong_backup_codes_at_once_five_are_looked_at(service: Service) -> None:
    owner = await service.owner()
    budget = attempts.backup_code_budget(owner.user.id)
    await service.open_budget(budget)
    challenges = await service.challenges(owner, 50)

    answers = await service.at_once(
        (
            service.verify(mfa_token, backup_code=code)
            for mfa_token, code in zip(challenges, _codes_of_others(50), strict=True)
        ),
        held=guesses_of(budget),
    )

    assert FREE_FAILURES == outcomes(answers)["code_refused"]
    assert {"code_refused", "attempts_spent", "busy"} >= set(outcomes(answers))
    assert [FREE_FAILURES] == await _failures(service, budget)


async def test_of_fifty_wrong_passwords_at_once_from_one_address_five_are_looked_at(service: Service) -> None:
    owner = await service.owner()
    budget = attempts.password_budget(folded(owner.user.username), ADDRESS)
    await service.open_budget(budget)

    answers = await service.at_once(
        (service.login(owner, password=f"wrong horse {number}", ip=ADDRESS) for number in range(50)),
        held=guesses_of(budget),
    )

    assert FREE_FAILURES == outcomes(answers)["credentials_refused"]
    assert {"credentials_refused", "attempts_spent", "busy"} >= set(outcomes(answers))
    assert [FREE_FAILURES] == await _failures(service, budget)


async def test_fifty_wrong_proofs_of_both_kinds_on_one_challenge_are_five_guesses(service: Service) -> None:
    owner = await service.owner()
    (mfa_token,) = await service.challenges(owner, 1)
    wrong = [{"code": code} for code in owner.wrong_codes(25)]
    wrong += [{"backup_code": code} for code in _codes_of_others(25)]

    answers = await service.at_once((service.verify(mfa_token, **proof) for proof in wrong), held=challenges_of(owner))

    assert 5 == outcomes(answers)["code_refused"]
    assert {"code_refused", "attempts_spent", "challenge_refused", "busy"} >= set(outcomes(answers))


def _codes_of_others(count: int) -> list[str]:
    """Return well-formed backup codes that are not the owner's."""
    sets = (codes.new_set(SystemEntropy()) for _ in range(-(-count // codes.CODES_PER_SET)))
    return [code.shown() for one in sets for code in one][:count]


async def _failures(service: Service, budget: Budget) -> list[int]:
    return await service.numbers(select(ATTEMPTS.c.failures).where(ATTEMPTS.c.budget == budget.name))


async def test_four_wrong_codes_at_once_are_all_looked_at(service: Service) -> None:
    owner = await service.owner()
    budget = attempts.totp_budget(owner.user.id)
    challenges = await service.challenges(owner, 4)

    answers = await service.at_once(
        (
            service.verify(mfa_token, code=code)
            for mfa_token, code in zip(challenges, owner.wrong_codes(4), strict=True)
        ),
        held=guesses_of(budget),
    )

    assert {"code_refused": 4} == outcomes(answers)
