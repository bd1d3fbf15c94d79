"""An installation with a mail server, which is another server in this process."""

import re
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from support.mail import PostOffice, free_port, mailed_code, mailing
from support.people import Person
from umbra.auth import Auth
from umbra.core.clock import FixedClock

ALICES = "alice@example.com"


def links_in(office: PostOffice) -> list[str]:
    """Return the address that each mail has."""
    return [link for one in office.deliveries for link in re.findall(r"https?://\S+\?token=\S+", one.text())]


@pytest.fixture
def closed_office() -> PostOffice:
    """A mail server that is not running."""
    return PostOffice(free_port())


@pytest.fixture
def office(closed_office: PostOffice) -> Iterator[PostOffice]:
    """A mail server that takes what comes."""
    with closed_office.is_open():
        yield closed_office


@pytest.fixture
def auth(auth: Auth, closed_office: PostOffice) -> Auth:
    """An installation that sends its mail there."""
    return mailing(auth, closed_office)


@pytest.fixture
async def alice(auth: Auth, client: httpx.AsyncClient, clock: FixedClock) -> Person:
    """Somebody with an address, signed in with nothing but a password."""
    person = Person("alice", client, clock, email=ALICES, mailed_code=partial(mailed_code, auth))
    await person.register()
    await person.sign_in()
    return person
