"""What an owner takes back by the link of a mail: the removal of the second factor, a sign-in by a backup code."""

from datetime import timedelta

import httpx
import pytest
from sqlalchemy import func, select

from mail.conftest import links_in
from support.mail import PostOffice
from support.people import Person
from umbra import upkeep
from umbra.audit.store import newest
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.crypto.keyring import Keyring, new_key
from umbra.links.purposes import LIFETIMES, Purpose
from umbra.mail import flows
from umbra.removals.tables import REMOVED
from umbra.signin import account, operating
from umbra.signin.operating import COMMAND_LINE
from umbra.totp.tables import AUTHENTICATORS

LIFETIME = LIFETIMES[Purpose.UNDO_REMOVAL]
MOMENT = timedelta(microseconds=1)
NEW = "another horse battery staple 7"


async def disabled(person: Person, **proof: str) -> None:
    """Turn the second factor off."""
    body = {"password": person.password, **(proof or {"code": person.fresh_code()})}
    assert 204 == (await person.post("/totp/disable", body)).status_code


async def undone(person: Person, token: str) -> str:
    answer = await person.post("/undo", {"token": token})
    return "done" if 204 == answer.status_code else str(answer.json()["reason"])


async def last_token(auth: Auth, office: PostOffice) -> str:
    await flows.send_due(auth)
    return links_in(office)[-1].partition("?token=")[2]


async def kept(auth: Auth) -> int:
    async with auth.db.read() as tx:
        return (await tx.execute(select(func.count()).select_from(REMOVED))).scalar_one()


async def step_of(auth: Auth) -> int | None:
    async with auth.db.read() as tx:
        return (await tx.execute(select(AUTHENTICATORS.c.last_step))).scalar_one()


async def test_the_authenticators_come_back_with_the_last_step_that_they_had(
    enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    await enrolled.enrol("Tablet")
    before = (await enrolled.get("/totp/status")).json()["authenticators"]
    spent = enrolled.fresh_code()
    await disabled(enrolled, code=spent)
    token = await last_token(auth, office)

    assert "done" == await undone(enrolled, token)

    assert 401 == (await enrolled.get("/session")).status_code
    assert "code_refused" == (await enrolled.verify(code=spent)).json()["reason"]
    await enrolled.sign_in()
    after = (await enrolled.get("/totp/status")).json()
    assert [(one["id"], one["name"], one["created_at"]) for one in before] == [
        (one["id"], one["name"], one["created_at"]) for one in after["authenticators"]
    ]
    assert after["backup_codes"] is None
    assert 0 == await kept(auth)
    line = next(one for one in await newest(auth.db, 10) if one.event == "second_factor_restored")
    assert (None, {"method": "mail"}) == (line.reason, line.detail)


async def test_what_a_thief_enrolled_since_is_gone_and_so_is_what_was_begun(
    enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    owners = enrolled.secret
    await disabled(enrolled, backup_code=enrolled.backup_codes[0])
    token = await last_token(auth, office)
    enrolled.secret = ""
    await enrolled.post("/step-up", {"password": enrolled.password})
    thiefs = await enrolled.enrol()
    codes = list(enrolled.backup_codes)
    assert 200 == (await enrolled.post("/totp/setup", {"name": "Another"})).status_code
    waiting = await enrolled.challenge()

    assert "done" == await undone(enrolled, token)

    assert "challenge_refused" == (await enrolled.verify(waiting, code=enrolled.fresh_code(thiefs))).json()["reason"]
    assert "code_refused" == (await enrolled.verify(code=enrolled.fresh_code(thiefs))).json()["reason"]
    assert "code_refused" == (await enrolled.verify(backup_code=codes[0])).json()["reason"]
    enrolled.secret = owners
    await enrolled.sign_in()
    status = (await enrolled.get("/totp/status")).json()
    assert (["Authenticator"], False) == ([one["name"] for one in status["authenticators"]], status["setup_pending"])


async def test_a_removal_is_undone_once_and_within_three_days(
    enrolled: Person, auth: Auth, clock: FixedClock, office: PostOffice
) -> None:
    await disabled(enrolled)
    at = clock.now()
    token = await last_token(auth, office)
    clock.set(at + LIFETIME)
    assert "link_refused" == await undone(enrolled, token)
    clock.move(-MOMENT)
    assert "done" == await undone(enrolled, token)
    assert "link_refused" == await undone(enrolled, token)


async def test_the_clean_up_deletes_what_nothing_brings_back_and_nothing_else(
    enrolled: Person, auth: Auth, clock: FixedClock
) -> None:
    await disabled(enrolled)
    at = clock.now()
    clock.set(at + LIFETIME - MOMENT)
    assert (0, 1) == ((await upkeep.clean_up(auth)).removed_authenticators, await kept(auth))
    clock.move(MOMENT)
    assert (1, 0) == ((await upkeep.clean_up(auth)).removed_authenticators, await kept(auth))


async def test_an_earlier_removal_outlives_the_undoing_of_a_later_one_and_not_the_other_way_round(
    enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    """
    The thief turned it off, enrolled, and turned that off as well: the last mail would bring back the thief's app.
    """
    await disabled(enrolled)
    first = await last_token(auth, office)
    thiefs = await enrolled.enrol()
    await disabled(enrolled, code=enrolled.fresh_code(thiefs))
    second = await last_token(auth, office)
    assert "done" == await undone(enrolled, second)
    assert "done" == await undone(enrolled, first)
    await enrolled.sign_in()
    await disabled(enrolled)
    third = await last_token(auth, office)
    await enrolled.prove_email()  # this thief reads mail
    thiefs = await enrolled.enrol()
    await disabled(enrolled, code=enrolled.fresh_code(thiefs))
    fourth = await last_token(auth, office)
    assert "done" == await undone(enrolled, third)
    assert "link_refused" == await undone(enrolled, fourth)
    await enrolled.sign_in()


async def test_nothing_is_kept_of_an_account_that_no_mail_reaches(
    client: httpx.AsyncClient, clock: FixedClock, auth: Auth
) -> None:
    bob = Person("bob", client, clock)
    await bob.register()
    await bob.sign_in()
    await bob.enrol()
    await disabled(bob)
    assert 0 == await kept(auth)


async def test_an_operators_reset_is_final(enrolled: Person, auth: Auth, office: PostOffice) -> None:
    await disabled(enrolled)
    token = await last_token(auth, office)
    await operating.reset_second_factor(auth, COMMAND_LINE, (await account.find(auth, "alice")).user.id)
    assert 0 == await kept(auth)
    assert "link_refused" == await undone(enrolled, token)


async def test_a_password_that_was_set_anew_leaves_the_removal_to_be_undone(
    enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    await disabled(enrolled)
    token = await last_token(auth, office)
    await enrolled.post("/password/reset-request", {"username": "alice"})
    resetting = await last_token(auth, office)
    assert 204 == (await enrolled.post("/password/reset", {"token": resetting, "new_password": NEW})).status_code
    enrolled.password = NEW
    assert "done" == await undone(enrolled, token)
    await enrolled.sign_in()


async def test_keys_are_counted_and_rotated_where_what_was_removed_is_kept(
    enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    await enrolled.enrol("Tablet")
    await disabled(enrolled)
    token = await last_token(auth, office)
    assert ([2], 2) == (list((await upkeep.key_use(auth)).rows.values()), await upkeep.count_sealed(auth))
    old = auth.keyring
    keys = [new_key().reveal(), *(_text_of(old))]
    object.__setattr__(auth, "keyring", Keyring.of(*keys))
    assert 2 == (await upkeep.rotate(auth, lambda _: None)).resealed
    assert [2, 0] == list((await upkeep.key_use(auth)).rows.values())
    object.__setattr__(auth, "keyring", Keyring.of(keys[0]))
    assert "done" == await undone(enrolled, token)
    await enrolled.sign_in()


async def test_what_comes_back_comes_under_the_newest_key(enrolled: Person, auth: Auth, office: PostOffice) -> None:
    await disabled(enrolled)
    token = await last_token(auth, office)
    object.__setattr__(auth, "keyring", Keyring.of(new_key().reveal(), *_text_of(auth.keyring)))
    assert "done" == await undone(enrolled, token)
    assert [1, 0] == list((await upkeep.key_use(auth)).rows.values())


async def test_without_the_key_nothing_is_undone_and_the_link_stays_good(
    enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    await disabled(enrolled)
    token, keyring = await last_token(auth, office), auth.keyring
    object.__setattr__(auth, "keyring", Keyring.of(new_key().reveal()))
    assert 500 == (await enrolled.post("/undo", {"token": token})).status_code
    assert 200 == (await enrolled.get("/session")).status_code
    object.__setattr__(auth, "keyring", keyring)
    assert "done" == await undone(enrolled, token)


@pytest.mark.parametrize("door", ["sign_in", "step_up"])
async def test_after_a_backup_code_the_link_ends_the_sessions_from_then_on(
    enrolled: Person, auth: Auth, clock: FixedClock, office: PostOffice, door: str
) -> None:
    older = enrolled.client.cookies["umbra_session"]
    clock.move(MOMENT)
    if door == "sign_in":
        await enrolled.verify(backup_code=enrolled.backup_codes[0])
    else:
        older = ""
        assert 200 == (await enrolled.post("/step-up", {"backup_code": enrolled.backup_codes[0]})).status_code
    await flows.send_due(auth)
    (link,) = [one.text() for one in office.deliveries if "A backup code was used" in str(one.message["Subject"])]
    waiting = await enrolled.challenge()

    assert "done" == await undone(enrolled, link.partition("?token=")[2].split()[0])

    assert 401 == (await enrolled.get("/session")).status_code
    assert "challenge_refused" == (await enrolled.verify(waiting)).json()["reason"]
    if older:
        enrolled.client.cookies.clear()
        enrolled.client.cookies.set("umbra_session", older)
        assert 200 == (await enrolled.get("/session")).status_code


def _text_of(keyring: Keyring) -> list[str]:
    """Return the keys of a keyring, as they would stand in a file."""
    return list(keyring._read())
