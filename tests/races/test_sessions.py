"""A token is renewed once, and what ends sessions ends those that are just beginning too (contract 1.2 and 1.3)."""

from collections.abc import Coroutine
from typing import Any

import httpx
import pytest

from races.service import Owner, Service, account_of, outcomes, session_of, sessions_of
from umbra.challenge.tables import CHALLENGES
from umbra.core.secret import Secret
from umbra.crypto.argon import Slot
from umbra.passwords import store as password_store
from umbra.signin import operating
from umbra.signin.operating import COMMAND_LINE

pytestmark = pytest.mark.race

NEW_PASSWORD = "battery horse staple correct 9"


async def test_one_token_is_renewed_once_though_two_codes_are_right(service: Service) -> None:
    owner = await service.owner(apps=2)
    (token,) = await service.sessions(owner, 1)

    answers = await service.at_once(
        (service.step_up(token, code=owner.code(0, app=app)) for app in (0, 1)), held=sessions_of(owner)
    )

    assert {"accepted": 1, "not_authenticated": 1} == outcomes(answers)
    (renewed,) = (answer.json()["token"] for answer in answers if answer.is_success)
    assert await service.is_signed_in(renewed)
    assert not await service.is_signed_in(token)


@pytest.mark.parametrize("apps", [0, 2])
async def test_nothing_begun_with_the_old_password_outlives_its_change(service: Service, apps: int) -> None:
    owner = await service.owner(apps=apps)
    (token,) = await service.sessions(owner, 1)
    changing = {"current_password": owner.password, "new_password": NEW_PASSWORD}
    changing |= {"code": owner.code(0)} if apps else {}
    sign_ins = await _sign_ins(service, owner)

    async with service.holding(session_of(await service.idle_session(owner))) as crowd:
        await crowd.send(service.post("/password", changing, token=token))
        await crowd.send(*sign_ins)

    assert 204 == (await crowd.answers())[0].status_code
    assert 1 == await service.alive(owner)
    assert await service.is_signed_in(token)
    assert 0 == await _challenges(service, owner)


@pytest.mark.parametrize("apps", [0, 2])
async def test_nothing_begun_outlives_the_disabling_of_the_account(service: Service, apps: int) -> None:
    owner = await service.owner(apps=apps)
    sign_ins = await _sign_ins(service, owner)

    async with service.holding(session_of(await service.idle_session(owner))) as crowd:
        await crowd.send(operating.disable(service.auth, COMMAND_LINE, owner.user.id))
        await crowd.send(*sign_ins)

    assert 0 == await service.alive(owner)
    assert 0 == await _challenges(service, owner)


async def test_no_sign_in_by_password_alone_outlives_the_first_authenticator(service: Service) -> None:
    owner = await service.owner(apps=0)
    (token,) = await service.sessions(owner, 1)
    setup = await service.post("/totp/setup", {}, token=token)
    owner.secrets.append(setup.json()["secret"])
    sign_ins = await _sign_ins(service, owner)

    async with service.holding(session_of(await service.idle_session(owner))) as crowd:
        await crowd.send(service.post("/totp/confirm", {"code": owner.code(0)}, token=token))
        await crowd.send(*sign_ins)

    confirmed, *answers = await crowd.answers()
    assert 200 == confirmed.status_code
    assert set(outcomes(answers)) <= {"accepted", "credentials_refused"}
    assert 1 == await service.alive(owner)
    assert await service.is_signed_in(confirmed.json()["token"])


async def test_no_challenge_outlives_the_second_factor(service: Service) -> None:
    owner = await service.owner(apps=2)
    (token,) = await service.sessions(owner, 1)
    proof = {"password": owner.password, "code": owner.code(0)}
    sign_ins = await _sign_ins(service, owner)

    async with service.holding(session_of(await service.idle_session(owner))) as crowd:
        await crowd.send(service.post("/totp/disable", proof, token=token))
        await crowd.send(*sign_ins)

    disabled, *answers = await crowd.answers()
    assert 204 == disabled.status_code
    assert 4 <= outcomes(answers)["accepted"]
    assert 0 == await _challenges(service, owner)


async def test_two_sign_ins_at_once_both_get_in_though_the_password_is_hashed_anew(service: Service) -> None:
    owner = await service.owner(apps=0)
    (outdated,) = await Slot(service.quick).hash(Secret(owner.password))
    async with service.auth.db.begin() as tx:
        await password_store.rehash(tx, owner.user.id, outdated)

    answers = await service.at_once(
        (service.login(owner, ip=f"10.0.0.{number}") for number in range(2)), held=account_of(owner)
    )

    assert {"accepted": 2} == outcomes(answers)
    assert 2 == await service.alive(owner)


async def test_sign_ins_by_password_at_once_all_get_in(service: Service) -> None:
    owner = await service.owner(apps=0)

    answers = await service.at_once((service.login(owner) for _ in range(4)), held=account_of(owner))

    assert {"accepted": 4} == outcomes(answers)
    assert 4 == await service.alive(owner)


async def _sign_ins(service: Service, owner: Owner) -> list[Coroutine[Any, Any, httpx.Response]]:
    """Return four first steps of a sign-in and, for who has a second app, one second step."""
    calls = [service.login(owner, ip=f"10.0.0.{number}") for number in range(4)]
    if len(owner.secrets) > 1:
        (mfa_token,) = await service.challenges(owner, 1)
        calls.append(service.verify(mfa_token, code=owner.code(0, app=1)))
    return calls


async def _challenges(service: Service, owner: Owner) -> int:
    return await service.count(CHALLENGES, CHALLENGES.c.user_id == owner.user.id)
