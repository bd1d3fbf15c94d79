"""Imports at once bring each account once."""

import pyotp
import pytest
from sqlalchemy import select

from races.service import NOBODY, PASSWORD, Service, at_once, outcomes, session_of
from umbra.auth import Auth
from umbra.core.secret import Secret
from umbra.imports import flows
from umbra.imports.flows import Import
from umbra.imports.record import Authenticator, BackupCode, Found, Why
from umbra.signin import account
from umbra.totp.tables import AUTHENTICATORS
from umbra.users.tables import USERS

pytestmark = pytest.mark.race

NAMES = ("ann", "ben", "cat")


async def test_of_imports_at_once_one_brings_each_account_and_the_others_leave_it_alone(auth: Auth) -> None:
    for name in NAMES:
        await account.create(auth, name, Secret(PASSWORD), email=None, is_operator=False, client=NOBODY)
    found = [
        Found(
            name,
            None,
            (Authenticator(Secret(pyotp.random_hex().encode())),),
            (BackupCode(Secret("1-2"), is_hash=False),),
        )
        for name in NAMES
    ]
    how = Import("base32")

    reports = await at_once(
        auth, (flows.bring(auth, how, found) for _ in range(6)), held=select(USERS.c.id).with_for_update(key_share=True)
    )

    assert sorted(NAMES) == sorted(one.account for report in reports for one in report.moved)
    assert [Why.ALREADY_ENABLED] * 15 == [one.why for report in reports for one in report.left]
    async with auth.db.read() as tx:
        assert 3 == len((await tx.execute(select(AUTHENTICATORS.c.id))).all())


async def test_no_sign_in_by_password_alone_outlives_an_import(service: Service) -> None:
    owner = await service.owner(apps=0)
    found = Found(owner.user.username, None, (Authenticator(Secret(pyotp.random_hex().encode())),), ())
    sign_ins = [service.login(owner, ip=f"10.0.0.{number}") for number in range(4)]

    async with service.holding(session_of(await service.idle_session(owner))) as crowd:
        await crowd.send(flows.bring(service.auth, Import("base32"), [found]))
        await crowd.send(*sign_ins)

    report, *answers = await crowd.answers()
    assert 1 == len(report.moved)
    assert set(outcomes(answers)) <= {"accepted", "credentials_refused"}
    assert 0 == await service.alive(owner)
