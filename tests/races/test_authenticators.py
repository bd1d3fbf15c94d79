"""Confirming and removing authenticators, two at once (contract 1.2)."""

import httpx
import pytest

from races.service import Owner, Service, authenticators_of, outcome, outcomes
from umbra.backup_codes.tables import BACKUP_CODES
from umbra.totp.tables import AUTHENTICATORS

pytestmark = pytest.mark.race


async def test_one_set_up_is_confirmed_once_though_two_codes_are_right(service: Service) -> None:
    owner = await service.owner(apps=0)
    (token,) = await service.sessions(owner, 1)
    await _set_up(service, owner, token)

    async with service.holding(authenticators_of(owner)) as crowd:
        await crowd.send(service.post("/totp/confirm", {"code": owner.code(0)}, token=token))
        await crowd.send(service.post("/totp/confirm", {"code": owner.code(1)}, token=token))

    answers = await crowd.answers()
    assert {"accepted", "code_refused", "no_setup_pending", "not_authenticated"} >= set(outcomes(answers))
    await _assert_one_counts(service, owner, answers)


async def test_of_two_first_authenticators_confirmed_at_once_one_counts(service: Service) -> None:
    """Whoever comes second has lost its session to the first, and overwrites nothing."""
    owner = await service.owner(apps=0)
    sessions = await service.sessions(owner, 2)
    for token in sessions:
        await _set_up(service, owner, token)

    answers = await service.at_once(
        (
            service.post("/totp/confirm", {"code": owner.code(0, app=app)}, token=token)
            for app, token in enumerate(sessions)
        ),
        held=authenticators_of(owner),
    )

    assert {"accepted", "name_taken", "not_authenticated"} >= set(outcomes(answers))
    await _assert_one_counts(service, owner, answers)


@pytest.mark.parametrize("app_that_proves", ["the removed one", "the other one"])
async def test_of_two_authenticators_removed_at_once_one_stays(service: Service, app_that_proves: str) -> None:
    owner = await service.owner(apps=2)
    sessions = await service.sessions(owner, 2)
    apps = {"the removed one": (0, 1), "the other one": (1, 0)}[app_that_proves]

    answers = await service.at_once(
        (
            service.post(f"/totp/authenticators/{removed}/remove", {"code": owner.code(0, app=app)}, token=token)
            for removed, app, token in zip(owner.authenticators, apps, sessions, strict=True)
        ),
        held=authenticators_of(owner),
    )

    assert 1 == outcomes(answers)["accepted"]
    assert {"accepted", "last_authenticator", "code_refused"} >= set(outcomes(answers))
    assert 1 == await service.count(AUTHENTICATORS, AUTHENTICATORS.c.user_id == owner.user.id)


@pytest.mark.parametrize("what", ["one app", "all of them"])
async def test_an_app_can_be_removed_in_the_moment_in_which_it_is_used(service: Service, what: str) -> None:
    """Neither waits for a row that the other one holds: a deadlock would answer ``unavailable``."""
    for _ in range(3):
        owner = await service.owner(apps=2)
        removing, using = await service.sessions(owner, 2)
        one = f"/totp/authenticators/{owner.authenticators[1]}/remove"
        proof = {"code": owner.code(0, app=0)}
        path, body = {
            "one app": (one, proof),
            "all of them": ("/totp/disable", {"password": owner.password, **proof}),
        }[what]

        removed, used = await service.at_once(
            [service.post(path, body, token=removing), service.step_up(using, code=owner.code(0, app=1))],
            held=authenticators_of(owner),
        )

        assert "accepted" == outcome(removed)
        assert outcome(used) in {"accepted", "code_refused", "not_authenticated", "not_enabled"}


async def _set_up(service: Service, owner: Owner, token: str) -> None:
    answer = await service.post("/totp/setup", {}, token=token)
    owner.secrets.append(answer.json()["secret"])


async def _assert_one_counts(service: Service, owner: Owner, answers: list[httpx.Response]) -> None:
    assert 1 == outcomes(answers)["accepted"]
    (confirmed,) = (answer.json() for answer in answers if answer.is_success)
    assert 10 == len(confirmed["backup_codes"])
    assert 10 == await service.count(BACKUP_CODES, BACKUP_CODES.c.user_id == owner.user.id)
    assert 1 == await service.count(
        AUTHENTICATORS, AUTHENTICATORS.c.user_id == owner.user.id, AUTHENTICATORS.c.confirmed_at.is_not(None)
    )
    assert 1 == await service.alive(owner)
    assert await service.is_signed_in(confirmed["token"])
