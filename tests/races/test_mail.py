"""Mail on several servers: each has the whole queue, and sends what no other one does."""

from collections.abc import Iterator

import pytest
from sqlalchemy import delete, select

from races.service import NOBODY, PASSWORD, Service, account_of
from support.mail import PostOffice, free_port, mailing
from umbra import wiring
from umbra.browsers.tables import BROWSERS
from umbra.core.events import Client, Event, Happened
from umbra.core.secret import Secret
from umbra.crypto import tokens
from umbra.mail import flows
from umbra.mail.kinds import Kind
from umbra.mail.tables import OUTBOX
from umbra.signin import flows as signin

pytestmark = pytest.mark.race


@pytest.fixture
def office() -> Iterator[PostOffice]:
    made = PostOffice(free_port())
    with made.is_open():
        yield made


async def test_one_mail_is_sent_once_however_many_servers_send(service: Service, office: PostOffice) -> None:
    owner = await service.owner(apps=0, email="owner@example.com")
    one, other = (mailing(wiring.build(service.auth.settings), office) for _ in range(2))
    await one.sink.record(Happened(Event.AUTHENTICATORS_LOCKED, NOBODY, owner.user.id))
    mail = select(OUTBOX.c.id).where(OUTBOX.c.user_id == owner.user.id).with_for_update()

    outcomes = await service.at_once((flows.send_due(auth) for auth in [one, other] * 5), held=mail)

    assert ["owner@example.com"] == office.recipients()
    assert 1 == sum(outcome.sent for outcome in outcomes)
    for auth in (one, other):
        auth.hashing.close()
        await auth.db.close()


async def test_one_new_browser_is_told_of_once_however_many_sign_ins_come_from_it(
    service: Service, office: PostOffice
) -> None:
    owner = await service.owner(apps=0, email="owner@example.com")
    auth = mailing(service.auth, office)
    for browser in ("first", "new"):
        known_by = tokens.hash_of_program(browser)
        clients = [Client(ip=f"192.0.2.{number}", browser=known_by) for number in range(10)]
        sign_ins = (signin.login(auth, owner.user.username, Secret(PASSWORD), client) for client in clients)
        await service.at_once(sign_ins, held=account_of(owner))
    assert 2 == await service.count(BROWSERS, BROWSERS.c.user_id == owner.user.id)
    mine = (OUTBOX.c.user_id == owner.user.id, OUTBOX.c.kind == Kind.NEW_BROWSER.value)
    assert 1 == await service.count(OUTBOX, *mine)
    async with auth.db.begin() as tx:  # another test's office is closed by now
        await tx.execute(delete(OUTBOX).where(*mine))
