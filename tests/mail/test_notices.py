"""What happens to an account, and the mail that tells its owner."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import update

from mail.conftest import ALICES
from support.mail import PostOffice
from support.people import BASE_URL, Person
from umbra import restore
from umbra.app import application
from umbra.attempts.bound import YEAR, cost_of
from umbra.attempts.tables import ATTEMPTS
from umbra.audit.store import DatabaseSink, newest
from umbra.auth import Auth
from umbra.core.clock import FixedClock
from umbra.crypto import tokens
from umbra.db.statements import insert
from umbra.links import store as links
from umbra.links.purposes import Purpose
from umbra.mail import flows
from umbra.mail.kinds import TEN_A_DAY, WITH_CODE, Kind
from umbra.mail.tables import OUTBOX
from umbra.signin import account, operating
from umbra.signin.operating import COMMAND_LINE
from umbra.users import store as users

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


async def add(alice: Person, auth: Auth) -> None:
    await alice.enrol("Tablet")


async def remove(alice: Person, auth: Auth, **proof: str) -> None:
    await alice.enrol("Tablet")
    await flows.send_due(auth)
    which = (await alice.get("/totp/status")).json()["authenticators"][1]["id"]
    body = proof or {"code": alice.fresh_code()}
    assert 204 == (await alice.post(f"/totp/authenticators/{which}/remove", body)).status_code


async def remove_by_backup_code(alice: Person, auth: Auth) -> None:
    await remove(alice, auth, backup_code=alice.backup_codes[0])


async def sign_in_by_backup_code(alice: Person, auth: Auth) -> None:
    assert 200 == (await alice.verify(backup_code=alice.backup_codes[0])).status_code


async def step_up_by_backup_code(alice: Person, auth: Auth) -> None:
    assert 200 == (await alice.post("/step-up", {"backup_code": alice.backup_codes[0]})).status_code


async def regenerate(alice: Person, auth: Auth) -> None:
    body = {"password": alice.password, "code": alice.fresh_code()}
    assert 200 == (await alice.post("/totp/backup-codes/regenerate", body)).status_code


async def change_password(alice: Person, auth: Auth) -> None:
    new = "another horse battery staple 7"
    body = {"current_password": alice.password, "new_password": new, "code": alice.fresh_code()}
    assert 204 == (await alice.post("/password", body)).status_code


async def forget_password(alice: Person, auth: Auth) -> None:
    assert 202 == (await alice.post("/password/reset-request", {"username": "alice"})).status_code


async def disable(alice: Person, auth: Auth) -> None:
    body = {"password": alice.password, "code": alice.fresh_code()}
    assert 204 == (await alice.post("/totp/disable", body)).status_code


async def undo_disable(alice: Person, auth: Auth) -> None:
    await disable(alice, auth)
    token = tokens.LINK.new(auth.entropy)
    async with auth.db.begin() as tx:
        user_id = (await users.by_name(tx, "alice")).user.id
        hashed = tokens.LINK.hash_of_new(token)
        await links.put(tx, user_id, Purpose.UNDO_REMOVAL, hashed, ALICES, auth.clock.now())
    assert 204 == (await alice.post("/undo", {"token": token.reveal()})).status_code


async def disable_by_backup_code(alice: Person, auth: Auth) -> None:
    body = {"password": alice.password, "backup_code": alice.backup_codes[0]}
    assert 204 == (await alice.post("/totp/disable", body)).status_code


async def reset(alice: Person, auth: Auth) -> None:
    await operating.reset_second_factor(auth, COMMAND_LINE, (await account.find(auth, "alice")).user.id)


async def disable_account(alice: Person, auth: Auth) -> None:
    await operating.disable(auth, COMMAND_LINE, (await account.find(auth, "alice")).user.id)


async def enable_account(alice: Person, auth: Auth) -> None:
    await disable_account(alice, auth)
    await operating.enable(auth, COMMAND_LINE, (await account.find(auth, "alice")).user.id)


async def lose_the_address(alice: Person, auth: Auth) -> None:
    await operating.change_email(auth, COMMAND_LINE, (await account.find(auth, "alice")).user.id, None)


async def guess_for_the_hundredth_time(alice: Person, auth: Auth) -> None:
    now = auth.clock.now()
    failed = {"failures": 99, "next_at": now, "charged_at": now}
    async with auth.db.begin() as tx:
        row = insert(ATTEMPTS).values(budget="totp:1", **failed)
        await tx.execute(row.on_conflict_do_update(index_elements=["budget"], set_=failed))
    assert 400 == (await alice.verify(code=alice.wrong_code())).status_code


async def guess_for_the_last_time_in_a_year(alice: Person, auth: Auth) -> None:
    cost = cost_of(1, auth.settings.guess_probability)
    async with auth.db.begin() as tx:
        spent = {"chances": cost.of - cost.chances, "period_ends": auth.clock.now() + YEAR}
        await tx.execute(update(ATTEMPTS).where(ATTEMPTS.c.budget == "totp:1").values(**spent))
    assert 400 == (await alice.verify(code=alice.wrong_code())).status_code


async def sign_in_by_a_used_code(alice: Person, auth: Auth) -> None:
    code = alice.fresh_code()
    assert 200 == (await alice.verify(code=code)).status_code
    alice.client.cookies.clear()
    assert 400 == (await alice.verify(code=code)).status_code


async def step_up_by_a_used_code(alice: Person, auth: Auth) -> None:
    code = alice.fresh_code()
    assert 200 == (await alice.post("/step-up", {"code": code})).status_code
    alice.client.cookies.delete("umbra_browser")
    assert 400 == (await alice.post("/step-up", {"code": code})).status_code


async def restore_the_database(alice: Person, auth: Auth) -> None:
    await restore.make_safe(auth)


async def sign_in_elsewhere(alice: Person, auth: Auth) -> None:
    alice.client.cookies.clear()
    assert 200 == (await alice.verify()).status_code


HAPPENINGS = [
    (add, "An authenticator app was added", "was added to your account"),
    (remove, "An authenticator app was removed", "was removed. Its codes"),
    (remove_by_backup_code, "An authenticator app was removed", "removed with a backup code, which is used up now"),
    (sign_in_by_backup_code, "A backup code was used", "in the place of a code from your app"),
    (step_up_by_backup_code, "A backup code was used", "your other backup codes are still good"),
    (regenerate, "New backup codes were made", "The codes that you had before are not good any more"),
    (change_password, "Your password was changed", "every other session was ended"),
    (forget_password, "A new password for your account", "The address works once, and for half an hour"),
    (disable, "The second factor was turned off", "was turned off. All of"),
    (disable_by_backup_code, "The second factor was turned off", "turned off with a backup code"),
    (undo_disable, "Your second factor is back", "It has the authenticator apps that it had before"),
    (reset, "Your second factor was removed", "Whoever runs Umbra has removed every authenticator app"),
    (disable_account, "Your account was disabled", "Whoever runs Umbra has disabled your account"),
    (enable_account, "Your account was enabled again", "it can be signed in to again"),
    (lose_the_address, "Your mail address was changed", "this is the last mail that comes here"),
    (guess_for_the_hundredth_time, "Your authenticator apps are locked", "a hundred times in a row"),
    (guess_for_the_last_time_in_a_year, "Too many wrong codes in a year", "until that year is over"),
    (sign_in_by_a_used_code, "A code was sent that had been used", "had been used before. It was refused"),
    (step_up_by_a_used_code, "A code was sent that had been used", "had been used before. It was refused"),
    (restore_the_database, "Make new backup codes", "would work once more now"),
    (sign_in_elsewhere, "A sign-in from a new browser", "has not been seen with it before"),
]

Happening = Callable[[Person, Auth], Awaitable[None]]

happenings = pytest.mark.parametrize(
    ("happening", "subject", "sentence"), HAPPENINGS, ids=[happening.__name__ for happening, _, _ in HAPPENINGS]
)


@happenings
async def test_the_owner_is_told_once_in_plain_words_and_in_html(
    happening: Happening, subject: str, sentence: str, enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    enrolled.client.headers["User-Agent"] = AGENT
    await flows.send_due(auth)
    office.deliveries.clear()

    await happening(enrolled, auth)
    at = auth.clock.now()
    await flows.send_due(auth)

    told = office.deliveries[-1]
    assert 1 == office.subjects().count(f"Umbra: {subject}")
    assert ("umbra@login.example", [ALICES]) == (told.sender, told.recipients)
    assert sentence in told.text()
    assert sentence in told.html()
    by_operator = happening in {reset, disable_account, enable_account, restore_the_database, lose_the_address}
    facts = ["Account: alice", f"When: {at:%Y-%m-%d %H:%M} UTC"]
    facts += [] if by_operator else ["From: 127.0.0.1", "With: Firefox on Linux"]
    assert " ".join(facts) in told.text()
    assert by_operator or '<td style="padding: 0.2em 0">Firefox on Linux</td>' in told.html()
    headers = {name: str(told.message[name]) for name in ("From", "To", "Auto-Submitted")}
    assert {"From": "Umbra <umbra@login.example>", "To": ALICES, "Auto-Submitted": "auto-generated"} == headers
    assert at == told.message["Date"].datetime
    assert {"multipart/alternative", "text/plain", "text/html"} == {
        part.get_content_type() for part in told.message.walk()
    }


def test_every_kind_of_mail_has_its_happening() -> None:
    told = {Kind.AUTHENTICATOR_ADDED, Kind.AUTHENTICATOR_REMOVED, Kind.BACKUP_CODE_USED, Kind.BACKUP_CODES_MADE,
            Kind.PASSWORD_CHANGED, Kind.PASSWORD_RESET, Kind.SECOND_FACTOR_DISABLED, Kind.SECOND_FACTOR_RESET,
            Kind.AUTHENTICATORS_LOCKED, Kind.CODE_REPLAYED, Kind.EMAIL_CHANGED, Kind.NEW_BROWSER, Kind.ACCOUNT_DISABLED,
            Kind.ACCOUNT_ENABLED, Kind.BACKUP_CODES_DUE, Kind.GUESSES_SPENT, Kind.SECOND_FACTOR_RESTORED}  # fmt: skip
    assert set(Kind) - {Kind.TEST} - WITH_CODE == told
    assert len(told) == len({subject for _, subject, _ in HAPPENINGS})


async def test_a_mail_is_in_the_language_of_the_request_that_it_is_about(
    enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    enrolled.client.headers.update({"Accept-Language": "fr, de-CH;q=0.9, en;q=0.1", "User-Agent": AGENT})
    await sign_in_elsewhere(enrolled, auth)
    await flows.send_due(auth)
    told = office.deliveries[-1]
    assert "Umbra: Eine Anmeldung mit einem neuen Browser" == told.message["Subject"]
    assert "Womit: Firefox auf Linux" in told.text()
    assert '<html lang="de">' in told.html()
    enrolled.client.headers["Accept-Language"] = "fr"
    await sign_in_elsewhere(enrolled, auth)
    await flows.send_due(auth)
    assert "Umbra: A sign-in from a new browser" == office.deliveries[-1].message["Subject"]


async def test_what_was_refused_is_told_to_nobody(enrolled: Person, auth: Auth) -> None:
    before = await queued(auth)
    wrong = {"password": enrolled.password, "code": enrolled.wrong_code()}
    await enrolled.verify(code=enrolled.wrong_code())
    await enrolled.post("/totp/disable", wrong)
    await enrolled.post("/totp/backup-codes/regenerate", wrong | {"password": "a wrong password"})
    await enrolled.login(username="nobody")
    assert before == await queued(auth)


async def test_the_line_of_the_audit_log_and_the_mail_are_kept_with_what_they_tell_of(
    enrolled: Person, auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The process dies in the moment after the change is committed: both are there.
    """

    async def die(*_: object) -> None:
        raise InterruptedError

    sink = type(auth.sink)
    monkeypatch.setattr(sink, "was_kept", die)
    monkeypatch.setattr(sink, "record", die)
    body = {"password": enrolled.password, "code": enrolled.fresh_code()}
    assert 500 == (await enrolled.post("/totp/disable", body)).status_code
    assert "second_factor_disabled" in {one.event for one in await newest(auth.db, 10)}
    assert Kind.SECOND_FACTOR_DISABLED in {one.kind for one in await flows.queue(auth, 10)}


async def test_without_an_address_nothing_is_queued(client: httpx.AsyncClient, clock: FixedClock, auth: Auth) -> None:
    bob = Person("bob", client, clock)
    await bob.register()
    await bob.sign_in()
    await bob.enrol()
    client.cookies.clear()
    await sign_in_by_backup_code(bob, auth)
    await sign_in_by_a_used_code(bob, auth)
    assert 0 == await queued(auth)


async def test_without_a_mail_server_nothing_is_queued(
    auth: Auth, clock: FixedClock, closed_office: PostOffice
) -> None:
    settings = auth.settings.model_copy(update={"smtp_url": None, "mail_from": None})
    quiet = replace(auth, settings=settings, sink=DatabaseSink(auth.db, clock))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=application(quiet)), base_url=BASE_URL) as client:
        alice = Person("alice", client, clock, email=ALICES)
        await alice.register()
        await alice.sign_in()
        await alice.enrol()
        await sign_in_by_backup_code(alice, quiet)
    assert 0 == await queued(auth)


async def test_one_account_gets_ten_mails_of_a_kind_a_day_and_of_other_kinds_still(
    enrolled: Person, auth: Auth, clock: FixedClock
) -> None:
    for _ in range(TEN_A_DAY.most + 2):
        await sign_in_elsewhere(enrolled, auth)
    assert TEN_A_DAY.most == await queued(auth, Kind.NEW_BROWSER)
    await sign_in_by_backup_code(enrolled, auth)
    assert 1 == await queued(auth, Kind.BACKUP_CODE_USED)
    clock.move(timedelta(days=1))
    await sign_in_elsewhere(enrolled, auth)
    assert TEN_A_DAY.most + 1 == await queued(auth, Kind.NEW_BROWSER)


async def test_a_mail_goes_to_the_address_that_the_account_had_then(
    enrolled: Person, auth: Auth, office: PostOffice
) -> None:
    await regenerate(enrolled, auth)
    async with auth.db.begin() as tx:
        users = OUTBOX.metadata.tables["users"]
        await tx.execute(users.update().values(email="thief@example.com").returning(users.c.id))
    await flows.send_due(auth)
    assert {ALICES} == set(office.recipients())


async def queued(auth: Auth, kind: Kind | None = None) -> int:
    return len([one for one in await flows.queue(auth, 1_000) if kind in {None, one.kind}])
