"""The first-run address makes one account (contract 3)."""

import pytest
from sqlalchemy import select

from races.service import NOBODY, PASSWORD, at_once, holding
from umbra.auth import Auth
from umbra.core.errors import NotFound
from umbra.core.secret import Secret
from umbra.db.state import STATE
from umbra.signin import account
from umbra.users.user import User

pytestmark = pytest.mark.race

HELD = select(STATE.c.name).where(STATE.c.name == account.FIRST_RUN).with_for_update()


async def test_the_first_run_token_makes_one_account_however_many_use_it(auth: Auth) -> None:
    token = await account.open_first_run(auth)
    assert token is not None

    made = await at_once(auth, (_first_run(auth, token, f"operator-{number}") for number in range(10)), held=HELD)

    assert 1 == sum(isinstance(one, User) for one in made)
    assert 9 == sum(isinstance(one, NotFound) for one in made)
    assert 1 == len(await account.everybody(auth))


async def test_a_server_that_starts_meanwhile_opens_no_second_first_run(auth: Auth) -> None:
    token = await account.open_first_run(auth)
    assert token is not None

    async with holding(auth, HELD) as crowd:
        await crowd.send(_first_run(auth, token, "operator"))
        await crowd.send(account.open_first_run(auth))

    made, opened = await crowd.answers()
    late = await _first_run(auth, opened, "intruder") if opened is not None else NotFound()
    assert 1 == sum(isinstance(one, User) for one in (made, late))


async def _first_run(auth: Auth, token: Secret[str], username: str) -> User | NotFound:
    try:
        return await account.first_run(auth, token.reveal(), username, Secret(PASSWORD), None, NOBODY)
    except NotFound as refusal:
        return refusal
