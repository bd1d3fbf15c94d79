"""Codes that are mailed, asked for and typed on several servers at once."""

import itertools
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, select

from races.service import NOBODY, Owner, Service, account_of, guesses_of
from support.mail import PostOffice, free_port, mailing
from umbra import wiring
from umbra.attempts import store as attempts
from umbra.attempts.bound import FREE_FAILURES
from umbra.auth import Auth
from umbra.core.errors import Refused
from umbra.core.secret import Secret
from umbra.crypto import envelope
from umbra.email_proofs import codes
from umbra.email_proofs.store import MOST_GUESSES
from umbra.email_proofs.tables import EMAIL_PROOFS
from umbra.mail.kinds import CODES_AN_HOUR, WITH_CODE, code_place
from umbra.mail.tables import OUTBOX
from umbra.sessions import flows as sessions
from umbra.sessions.session import Current
from umbra.signin import addresses

pytestmark = pytest.mark.race

DONE = "done"


@pytest.fixture
async def servers(service: Service) -> AsyncIterator[list[Auth]]:
    """Two servers in this process, with mail, which nobody sends."""
    built = [mailing(wiring.build(service.auth.settings), PostOffice(free_port())) for _ in range(2)]
    yield [replace(auth, hashing=service.quick) for auth in built]
    for auth in built:
        auth.hashing.close()
        await auth.db.close()
    async with service.auth.db.begin() as tx:  # another test's office would get it
        await tx.execute(delete(OUTBOX))


@pytest.fixture
def auth(servers: list[Auth]) -> Auth:
    return servers[0]


async def test_one_mailed_code_counts_once_however_many_requests_carry_it(
    service: Service, servers: list[Auth], auth: Auth
) -> None:
    owner = await service.owner(apps=0, email="owner@example.com")
    (me,) = await signed_in(service, auth, owner, 1)
    await addresses.send_code(auth, me, NOBODY)
    code = await mailed_code(auth, owner)

    turns = itertools.cycle(servers)
    tries = [outcome(addresses.prove(next(turns), me, code, NOBODY)) for _ in range(MOST_GUESSES)]
    answers = await service.at_once(tries, held=account_of(owner))

    assert 1 == answers.count(DONE)
    assert {DONE, "replayed", "no_code"} >= set(answers)  # whoever comes when it is done finds none
    assert 1 == await service.count(
        EMAIL_PROOFS, EMAIL_PROOFS.c.user_id == owner.user.id, EMAIL_PROOFS.c.proved_at.is_not(None)
    )


async def test_of_fifty_wrong_mailed_codes_at_once_five_are_looked_at(
    service: Service, servers: list[Auth], auth: Auth
) -> None:
    owner = await service.owner(apps=0, email="owner@example.com")
    budget = attempts.email_proof_budget(owner.user.id)
    await service.open_budget(budget)
    everybody = await signed_in(service, auth, owner, CODES_AN_HOUR.most)
    for me in everybody:
        await addresses.send_code(auth, me, NOBODY)
    wrong = Secret("00000000")

    turns = itertools.cycle(servers)
    tries = [outcome(addresses.prove(next(turns), me, wrong, NOBODY)) for me in everybody * 10]
    answers = await service.at_once(tries, held=guesses_of(budget))

    assert FREE_FAILURES == answers.count("wrong")
    assert len(tries) - FREE_FAILURES == answers.count("attempts_spent") + answers.count("busy")


async def test_codes_are_mailed_five_times_however_many_sessions_ask(
    service: Service, servers: list[Auth], auth: Auth
) -> None:
    owner = await service.owner(apps=0, email="owner@example.com")
    everybody = await signed_in(service, auth, owner, 2 * CODES_AN_HOUR.most)

    turns = itertools.cycle(servers)
    asked = [outcome(addresses.send_code(next(turns), me, NOBODY)) for me in everybody]
    answers = await service.at_once(asked, held=account_of(owner))

    assert CODES_AN_HOUR.most == answers.count(DONE)
    mine = (OUTBOX.c.user_id == owner.user.id, OUTBOX.c.kind.in_(WITH_CODE))
    assert CODES_AN_HOUR.most == await service.count(OUTBOX, *mine)


async def signed_in(service: Service, auth: Auth, owner: Owner, count: int) -> list[Current]:
    """Return so many sessions of the owner's."""
    return [await sessions.current(auth, token) for token in await service.sessions(owner, count)]


async def mailed_code(auth: Auth, owner: Owner) -> Secret[str]:
    """Return the code in the owner's newest mail that has one."""
    async with auth.db.read() as tx:
        mine = select(OUTBOX.c.detail).where(OUTBOX.c.user_id == owner.user.id, OUTBOX.c.kind.in_(WITH_CODE))
        detail = (await tx.execute(mine.order_by(OUTBOX.c.id.desc()).limit(1))).scalar_one()
    sealed = envelope.unseal(auth.keyring, detail["code"], code_place(owner.user.id))
    return codes.parse(sealed.reveal().decode())


async def outcome(trying: Coroutine[Any, Any, object]) -> str:
    """Return ``done``, or the cause of a refusal."""
    try:
        await trying
    except Refused as refusal:
        return refusal.cause
    return DONE
