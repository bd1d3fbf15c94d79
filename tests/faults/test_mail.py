"""A mail server that is down, or says no."""

from functools import partial

import httpx
import pytest

from faults.cases import POSTS, Post
from faults.world import said
from support.mail import PostOffice, free_port, mailed_code, mailing
from support.people import Person
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.mail import flows


@pytest.fixture
def office() -> PostOffice:
    return PostOffice(free_port())


@pytest.fixture
def auth(auth: Auth, office: PostOffice) -> Auth:
    """An installation that sends mail."""
    return mailing(auth, office)


@pytest.fixture
async def alice(auth: Auth, client: httpx.AsyncClient, clock: FixedClock) -> Person:
    """Alice, who has an address."""
    person = Person("alice", client, clock, email="alice@example.com", mailed_code=partial(mailed_code, auth))
    await person.register()
    await person.sign_in()
    return person


@pytest.mark.parametrize("post", POSTS, ids=[post.fault for post in POSTS])
async def test_a_mail_server_that_takes_nothing_does_what_is_declared(
    post: Post, auth: Auth, enrolled: Person, office: PostOffice
) -> None:
    with office.is_open():
        await flows.send_due(auth)  # what there was to say about the set-up

    answer = await enrolled.verify(backup_code=enrolled.backup_codes[0])
    assert post.answer == said(answer)
    (told,) = (mail for mail in await flows.queue(auth, 10) if mail.kind == "backup_code_used")

    if post.fault == "nobody listens there":
        await flows.send_due(auth)
    else:
        office.answers["RCPT"] = f"{post.fault.removeprefix('it says ')} no"
        with office.is_open():
            await flows.send_due(auth)

    (now,) = (mail for mail in await flows.queue(auth, 10) if mail.id == told.id)
    assert (post.mail, post.error) == (now.state, now.last_error)
