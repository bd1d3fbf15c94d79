"""One code counts once, whatever it is used for and however many requests carry it (contract 1.5, 1 to 4)."""

import pyotp
import pytest
from sqlalchemy import select

from races.service import Owner, Service, authenticators_of, outcomes
from umbra.core.secret import Secret
from umbra.crypto import envelope
from umbra.crypto.envelope import Place
from umbra.sessions.tables import SESSIONS
from umbra.totp import flows
from umbra.totp import store as totp
from umbra.totp.tables import USED_CODES

pytestmark = pytest.mark.race


@pytest.mark.parametrize("gathers", [True, False])
async def test_one_code_signs_in_once_however_many_challenges_it_is_sent_with(service: Service, gathers: bool) -> None:
    owner = await service.owner()
    challenges = await service.challenges(owner, 20)
    before = await service.count(SESSIONS, SESSIONS.c.user_id == owner.user.id)
    code = owner.code(1)

    answers = await service.at_once(
        (service.verify(mfa_token, code=code) for mfa_token in challenges),
        held=authenticators_of(owner) if gathers else None,
    )

    assert 1 == outcomes(answers)["accepted"]
    assert {"accepted", "code_refused", "attempts_spent"} >= outcomes(answers).keys()
    assert 1 == await service.count(USED_CODES, USED_CODES.c.user_id == owner.user.id, USED_CODES.c.code == code)
    assert before + 1 == await service.count(SESSIONS, SESSIONS.c.user_id == owner.user.id)


async def test_one_code_proves_one_session_anew_however_many_ask(service: Service) -> None:
    owner = await service.owner()
    sessions = await service.sessions(owner, 20)
    code = owner.code(1)

    answers = await service.at_once(
        (service.step_up(token, code=code) for token in sessions), held=authenticators_of(owner)
    )

    assert 1 == outcomes(answers)["accepted"]
    assert {"accepted", "code_refused", "attempts_spent"} >= outcomes(answers).keys()
    assert 1 == await service.count(USED_CODES, USED_CODES.c.user_id == owner.user.id, USED_CODES.c.code == code)


async def test_one_code_opens_one_door_of_all(service: Service) -> None:
    owner = await service.owner(apps=2)
    (mfa_token,) = await service.challenges(owner, 1)
    stepping, disabling, regenerating, changing, removing = await service.sessions(owner, 5)
    code = owner.code(1)
    knowing = {"password": owner.password, "code": code}
    renewing = {"current_password": owner.password, "new_password": "battery horse staple correct 9", "code": code}
    other_app = f"/totp/authenticators/{owner.authenticators[1]}/remove"

    answers = await service.at_once(
        [
            service.post("/totp/disable", knowing, token=disabling),
            service.post("/totp/backup-codes/regenerate", knowing, token=regenerating),
            service.post("/password", renewing, token=changing),
            service.post(other_app, {"code": code}, token=removing),
            service.verify(mfa_token, code=code),
            service.step_up(stepping, code=code),
        ],
        held=authenticators_of(owner),
    )

    assert 1 == outcomes(answers)["accepted"]
    assert outcomes(answers).keys().isdisjoint({"internal", "unavailable", "busy"})
    assert 1 == await service.count(USED_CODES, USED_CODES.c.user_id == owner.user.id, USED_CODES.c.code == code)


async def test_behind_a_later_code_an_earlier_one_is_refused(service: Service) -> None:
    owner = await service.owner()
    first, second = await service.challenges(owner, 2)

    async with service.holding(authenticators_of(owner)) as crowd:
        await crowd.send(service.verify(first, code=owner.code(1)))
        await crowd.send(service.verify(second, code=owner.code(0)))

    used = await service.numbers(
        select(USED_CODES.c.window)
        .where(USED_CODES.c.user_id == owner.user.id, USED_CODES.c.window >= owner.step)
        .order_by(USED_CODES.c.id)
    )
    assert outcomes(await crowd.answers())["accepted"] == len(used)
    assert sorted(used) == used


async def test_digits_that_two_apps_show_are_accepted_once(service: Service) -> None:
    owner = await service.owner(apps=2)
    await _give_both_apps_one_secret(service, owner)
    challenges = await service.challenges(owner, 20)
    code = owner.code(1)

    answers = [
        answer
        for some in (challenges[:10], challenges[10:])
        for answer in await service.at_once(
            (service.verify(mfa_token, code=code) for mfa_token in some), held=authenticators_of(owner)
        )
    ]

    assert 1 == outcomes(answers)["accepted"]
    assert {"accepted", "code_refused", "attempts_spent"} >= outcomes(answers).keys()


async def _give_both_apps_one_secret(service: Service, owner: Owner) -> None:
    secret = Secret(pyotp.HOTP(owner.secrets[0]).byte_secret())
    row = owner.authenticators[1]
    place = Place(flows.PURPOSE, owner.user.id, row)
    async with service.auth.db.begin() as tx:
        await totp.put_secret(tx, row, envelope.seal(service.auth.keyring, secret, place))
