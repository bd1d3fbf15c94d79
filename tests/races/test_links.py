"""Links in mails on several servers: each does what it is for once, and nothing outlives it."""

import httpx
import pytest
from sqlalchemy import Executable, select

from races.service import NOBODY, Owner, Service, account_of
from support.mail import PostOffice, free_port, mailing
from umbra.auth import Auth
from umbra.core.events import Client
from umbra.core.secret import Secret
from umbra.crypto import tokens
from umbra.links import store as links
from umbra.links.errors import LinkRefused
from umbra.links.purposes import Purpose
from umbra.links.tables import LinkRow
from umbra.mail.kinds import Kind
from umbra.mail.tables import OutboxRow
from umbra.signin import mailed
from umbra.users.tables import UserRow

pytestmark = pytest.mark.race

ADDRESS = "owner@example.com"


@pytest.fixture
def auth(service: Service) -> Auth:
    """The service as it is where there is a mail server; nobody sends while a race is run."""
    return mailing(service.auth, PostOffice(free_port()))


async def link_for(auth: Auth, owner: Owner, purpose: Purpose) -> str:
    """Return the token of a fresh link."""
    token = tokens.LINK.new(auth.entropy)
    async with auth.db.begin() as tx:
        hashed = tokens.LINK.hash_of_new(token)
        await links.put(tx, owner.user.id, purpose, hashed, ADDRESS, auth.clock.now())
    return token.reveal()


def links_of(owner: Owner) -> Executable:
    """Return the statement that holds the owner's links."""
    return select(LinkRow.id).where(LinkRow.user_id == owner.user.id).with_for_update()


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
    assert [1] == await service.numbers(select(UserRow.password_version).where(UserRow.id == owner.user.id))


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
    mine = (OutboxRow.user_id == owner.user.id, OutboxRow.kind == Kind.PASSWORD_RESET.value)
    assert 3 == await service.count(OutboxRow, *mine)
