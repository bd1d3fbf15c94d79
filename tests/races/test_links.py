"""Links in mails on several servers: each does what it is for once, and nothing outlives it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

import httpx
import pyotp
import pytest
from sqlalchemy import Executable, delete, select

from races.service import NOBODY, Owner, Service, account_of, outcomes, session_of
from support.mail import PostOffice, free_port, mailing
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.core.events import Client
from umbra.core.secret import Secret
from umbra.crypto import tokens
from umbra.links import store as links
from umbra.links.errors import LinkRefused
from umbra.links.purposes import Purpose
from umbra.links.tables import LINKS
from umbra.mail.kinds import Kind
from umbra.mail.tables import OUTBOX
from umbra.removals import store as removals
from umbra.removals.tables import REMOVED
from umbra.signin import mailed
from umbra.totp import store as totp
from umbra.totp.tables import AUTHENTICATORS
from umbra.users import store as users
from umbra.users.tables import USERS

pytestmark = pytest.mark.race

ADDRESS = "owner@example.com"


@pytest.fixture
async def auth(service: Service) -> AsyncIterator[Auth]:
    """The service as it is where there is a mail server; nobody sends while a race is run."""
    yield mailing(service.auth, PostOffice(free_port()))
    async with service.auth.db.begin() as tx:  # another test's office would get it
        await tx.execute(delete(OUTBOX))


async def link_for(auth: Auth, owner: Owner, purpose: Purpose, about: datetime | None = None) -> str:
    """Return the token of a fresh link, about what happened then or now."""
    token = tokens.LINK.new(auth.entropy)
    async with auth.db.begin() as tx:
        hashed = tokens.LINK.hash_of_new(token)
        await links.put(tx, owner.user.id, purpose, hashed, ADDRESS, about or auth.clock.now())
    return token.reveal()


def links_of(owner: Owner) -> Executable:
    """Return the statement that holds the owner's links."""
    return select(LINKS.c.id).where(LINKS.c.user_id == owner.user.id).with_for_update()


async def reset(auth: Auth, token: str, number: int) -> bool:
    """Set a password by a link, and say whether that was done."""
    try:
        await mailed.reset_password(auth, token, Secret(f"another horse battery staple {number}"), NOBODY)
    except LinkRefused:
        return False
    return True


async def test_one_link_sets_one_password_however_many_send_it(service: Service, auth: Auth) -> None:
    owner = await service.owner(apps=0, email=ADDRESS)
    token = await link_for(auth, owner, Purpose.RESET_PASSWORD)
    done = await service.at_once([reset(auth, token, number) for number in range(8)], held=links_of(owner))
    assert 1 == sum(done)
    assert [1] == await service.numbers(select(USERS.c.password_version).where(USERS.c.id == owner.user.id))


async def test_of_two_links_that_are_used_at_once_one_sets_the_password(service: Service, auth: Auth) -> None:
    owner = await service.owner(apps=0, email=ADDRESS)
    made = [await link_for(auth, owner, Purpose.RESET_PASSWORD) for _ in range(6)]
    done = await service.at_once(
        [reset(auth, token, number) for number, token in enumerate(made)], held=account_of(owner)
    )
    assert 1 == sum(done)


async def test_no_sign_in_with_the_old_password_outlives_a_reset(service: Service, auth: Auth) -> None:
    owner = await service.owner(apps=0, email=ADDRESS)
    token = await link_for(auth, owner, Purpose.RESET_PASSWORD)

    async def sign_in() -> bool:
        answer: httpx.Response = await service.login(owner)
        return answer.is_success

    done = await service.at_once([sign_in(), reset(auth, token, 1), sign_in(), sign_in()], held=account_of(owner))
    assert done[1]
    assert 0 == await service.alive(owner)


async def test_three_mails_an_hour_go_to_one_account_however_many_ask(service: Service, auth: Auth) -> None:
    owner = await service.owner(apps=0, email=ADDRESS)
    clients = [Client(ip=f"192.0.2.{number}") for number in range(10)]
    asked = [mailed.request_reset(auth, owner.user.username, client) for client in clients]
    await service.at_once(asked, held=account_of(owner))
    mine = (OUTBOX.c.user_id == owner.user.id, OUTBOX.c.kind == Kind.PASSWORD_RESET.value)
    assert 3 == await service.count(OUTBOX, *mine)


async def turned_off(auth: Auth, owner: Owner) -> datetime:
    """Remove the owner's authenticators as turning the second factor off does, and return when."""
    now = auth.clock.now()
    async with auth.db.begin() as tx:
        await users.hold(tx, owner.user.id)
        await removals.keep(tx, owner.user.id, now)
        await totp.remove_all(tx, owner.user.id)
    return now


async def undo(auth: Auth, token: str) -> bool:
    """Undo something by a link, and say whether that was done."""
    try:
        await mailed.undo(auth, token, NOBODY)
    except LinkRefused:
        return False
    return True


async def test_a_removal_is_undone_once_however_many_ask(service: Service, auth: Auth) -> None:
    owner = await service.owner(apps=2, email=ADDRESS)
    token = await link_for(auth, owner, Purpose.UNDO_REMOVAL, await turned_off(auth, owner))
    done = await service.at_once([undo(auth, token) for _ in range(8)], held=links_of(owner))
    assert 1 == sum(done)
    assert 2 == await service.count(AUTHENTICATORS, AUTHENTICATORS.c.user_id == owner.user.id)


async def test_no_authenticator_and_no_session_outlives_an_undo_that_meets_an_enrolment(
    service: Service, auth: Auth
) -> None:
    owner = await service.owner(email=ADDRESS)
    removed_at = await turned_off(auth, owner)
    token = await link_for(auth, owner, Purpose.UNDO_REMOVAL, removed_at)
    (session,) = await service.sessions(owner, 1)
    setup = await service.post("/totp/setup", {}, token=session)
    code = pyotp.TOTP(setup.json()["secret"]).now()

    async def confirm() -> bool:
        return (await service.post("/totp/confirm", {"code": code}, token=session)).is_success

    _, done = await service.at_once([confirm(), undo(auth, token)], held=account_of(owner))

    assert done
    assert owner.authenticators == await service.numbers(
        select(AUTHENTICATORS.c.id).where(AUTHENTICATORS.c.user_id == owner.user.id)
    )
    assert 0 == await service.alive(owner)


async def test_no_sign_in_by_password_alone_outlives_the_undoing_of_a_removal(service: Service, auth: Auth) -> None:
    owner = await service.owner(email=ADDRESS)
    token = await link_for(auth, owner, Purpose.UNDO_REMOVAL, await turned_off(auth, owner))
    sign_ins = [service.login(owner, ip=f"10.0.0.{number}") for number in range(4)]

    async with service.holding(session_of(await service.idle_session(owner))) as crowd:
        await crowd.send(undo(auth, token))
        await crowd.send(*sign_ins)

    done, *answers = await crowd.answers()
    assert done
    assert set(outcomes(answers)) <= {"accepted", "credentials_refused"}
    assert 0 == await service.alive(owner)


async def test_an_undo_that_meets_the_clean_up_is_done_or_refused_and_never_half(service: Service, auth: Auth) -> None:
    """
    The clock of the server that cleans up is ahead, so that it deletes what the other one would bring back.
    """
    owner = await service.owner(email=ADDRESS)
    token = await link_for(auth, owner, Purpose.UNDO_REMOVAL, await turned_off(auth, owner))
    ahead = replace(auth, clock=FixedClock(auth.clock.now() + removals.KEPT_FOR))
    (session,) = await service.sessions(owner, 1)

    async def clean_up() -> bool:
        async with ahead.db.begin() as tx:
            return bool(await removals.delete_old(tx, ahead.clock.now(), 500))

    await service.at_once([clean_up(), undo(auth, token), clean_up()], held=links_of(owner))

    back = await service.count(AUTHENTICATORS, AUTHENTICATORS.c.user_id == owner.user.id)
    left = await service.count(REMOVED, REMOVED.c.user_id == owner.user.id)
    spent = await service.count(LINKS, LINKS.c.user_id == owner.user.id, LINKS.c.used_at.is_not(None))
    assert (back, left, spent) in {(1, 0, 1), (0, 0, 0)}
    assert (back == 0) == await service.is_signed_in(session)
