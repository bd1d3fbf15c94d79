"""From a real database of the seed's shape, with people who sign in before and after."""

from typing import Any

import pytest
from sqlalchemy import select

from imports import old
from imports.conftest import Bring, Meet
from imports.old import Seed
from support.audit import reasons_of
from support.people import PERIOD
from umbra.audit.store import newest
from umbra.auth import Auth
from umbra.backup_codes.tables import BACKUP_CODES
from umbra.core.clock import FixedClock
from umbra.db import migrate
from umbra.imports.record import Why
from umbra.totp.tables import AUTHENTICATORS, USED_CODES

CODES = ["A1B2-C3D4", "e5f6-a7b8", "ZZZZ-0000"]


async def test_who_signed_in_there_signs_in_here_with_the_same_app_and_codes(
    seed: Seed, bring: Bring, meet: Meet, clock: FixedClock
) -> None:
    secret = await seed.add("ann")
    await seed.add_codes("ann", CODES)
    ann = await meet("Ann", secret, CODES)
    used = ann.code()
    assert await seed.sign_in("ann", used)
    assert not await seed.sign_in("ann", used)
    assert await seed.redeem("ann", CODES[0])

    report = await bring("seed", seed.url, old.asked(seed.key))

    assert [("Ann", 1, 3)] == [(one.account, one.authenticators, one.backup_codes) for one in report.moved]
    assert () == report.left
    challenge = await ann.challenge()
    assert "code_refused" == (await ann.verify(challenge, code=used)).json()["reason"]
    assert "code_refused" == (await ann.verify(challenge, backup_code=CODES[0])).json()["reason"]
    assert 200 == (await ann.verify(challenge, code=ann.code(1))).status_code
    answer = await ann.verify(backup_code=f" {CODES[1]} ")
    assert 1 == answer.json()["backup_codes_remaining"]
    clock.move(PERIOD)
    assert "code_refused" == (await ann.verify(backup_code=CODES[1])).json()["reason"]
    assert 200 == (await ann.verify(backup_code=CODES[2])).status_code


async def test_the_next_unused_code_is_good_at_once(seed: Seed, bring: Bring, meet: Meet) -> None:
    ann = await meet("ann", await seed.add("ann"))
    assert await seed.sign_in("ann", ann.code(-1))
    await bring("seed", seed.url, old.asked(seed.key))
    assert 200 == (await ann.verify(code=ann.code())).status_code


async def test_used_codes_and_their_steps_come(seed: Seed, bring: Bring, meet: Meet, auth: Auth) -> None:
    ann = await meet("ann", await seed.add("ann"))
    step = int(ann.clock.now().timestamp()) // 30
    assert await seed.sign_in("ann", ann.code(1))
    await bring("seed", seed.url, old.asked(seed.key))
    async with auth.db.read() as tx:
        assert [step + 1] == [one for (one,) in await tx.execute(select(AUTHENTICATORS.c.last_step))]
        used = await tx.execute(select(USED_CODES.c.code, USED_CODES.c.window, USED_CODES.c.purpose))
        assert [(ann.code(1), step + 1, "import")] == [tuple(row) for row in used]


async def test_a_used_backup_code_is_told_from_a_wrong_one_in_the_audit_log(
    seed: Seed, bring: Bring, meet: Meet, auth: Auth
) -> None:
    ann = await meet("ann", await seed.add("ann"))
    await seed.add_codes("ann", CODES)
    assert await seed.redeem("ann", CODES[2])
    await bring("seed", seed.url, old.asked(seed.key))
    challenge = await ann.challenge()
    await ann.verify(challenge, backup_code=CODES[2])
    await ann.verify(challenge, backup_code="no-such-code")
    assert ["replayed", "wrong"] == await reasons_of(auth, "sign_in_code")


async def test_what_cannot_come_is_listed_and_the_rest_comes(seed: Seed, bring: Bring, meet: Meet) -> None:
    await meet("ann", await seed.add("ann"))
    await seed.add("pending", enabled=False)
    await seed.add("stranger")
    await seed.add("short", secret="GEZDGNBVGY3TQ")
    await seed.say("INSERT INTO users (username, password_hash, totp_enabled) VALUES ('empty', '', :e)", {"e": True})
    await seed.say("INSERT INTO users (username, password_hash, totp_enabled) VALUES ('plain', '', :e)", {"e": False})
    await seed.add("strange")
    await seed.say("UPDATE users SET totp_secret = 'gAAAAno' WHERE username = 'strange'", {})
    await seed.add_codes("ann", CODES[:1])
    await seed.say("UPDATE backup_codes SET code_hash = '$2b$12$abc' WHERE user_id = 1", {})
    for name in ("pending", "short", "empty", "plain", "strange"):
        await meet(name)

    report = await bring("seed", seed.url, old.asked(seed.key))

    assert ["ann"] == [one.account for one in report.moved]
    assert {
        ("ann", "backup code", Why.OTHER_HASH),
        ("pending", "authenticator", Why.NOT_CONFIRMED),
        ("stranger", "account", Why.UNKNOWN_ACCOUNT),
        ("short", "authenticator", Why.TOO_SHORT),
        ("empty", "authenticator", Why.NO_SECRET),
        ("strange", "authenticator", Why.UNREADABLE),
    } == {(one.account, one.what, one.why) for one in report.left}


async def test_another_key_opens_nothing_and_an_older_one_beside_it_does(seed: Seed, bring: Bring, meet: Meet) -> None:
    await meet("ann", await seed.add("ann"))
    other = Seed(seed.url, seed._folder, seed.clock).key
    report = await bring("seed", seed.url, old.asked(other))
    assert [Why.UNREADABLE] == [one.why for one in report.left]
    assert ["ann"] == [one.account for one in (await bring("seed", seed.url, old.asked(other, seed.key))).moved]


async def test_run_again_an_import_leaves_everybody_alone(seed: Seed, bring: Bring, meet: Meet, auth: Auth) -> None:
    ann = await meet("ann", await seed.add("ann"), CODES)
    await seed.add_codes("ann", CODES)
    await bring("seed", seed.url, old.asked(seed.key))
    await ann.verify(backup_code=CODES[0])
    before = await contents(auth)
    report = await bring("seed", seed.url, old.asked(seed.key))
    assert ((), [Why.ALREADY_ENABLED]) == (report.moved, [one.why for one in report.left])
    assert before == await contents(auth)


async def test_a_rehearsal_reports_what_would_come_and_changes_nothing(
    seed: Seed, bring: Bring, meet: Meet, auth: Auth
) -> None:
    await meet("ann", await seed.add("ann"))
    await seed.add("stranger")
    await seed.add_codes("ann", CODES)
    before = await contents(auth)
    rehearsed = await bring("seed", seed.url, old.asked(seed.key), is_rehearsal=True)
    assert before == await contents(auth)
    assert rehearsed == await bring("seed", seed.url, old.asked(seed.key))
    assert before != await contents(auth)


async def test_an_import_is_an_event_and_ends_what_was_begun_with_less(
    seed: Seed, bring: Bring, meet: Meet, auth: Auth
) -> None:
    ann = await meet("ann", await seed.add("ann"))
    await ann.sign_in()
    await seed.add_codes("ann", CODES)
    await bring("seed", seed.url, old.asked(seed.key))
    assert 401 == (await ann.get("/session")).status_code
    (event,) = [one for one in await newest(auth.db, 100) if one.event == "authenticators_imported"]
    assert {"source": "seed", "authenticators": 1, "backup_codes": 3} == event.detail


async def test_no_secret_of_the_source_stands_here_in_clear(seed: Seed, bring: Bring, meet: Meet, auth: Auth) -> None:
    secret = await seed.add("ann")
    await meet("ann")
    await seed.add_codes("ann", CODES)
    await bring("seed", seed.url, old.asked(seed.key))
    everything = repr(await contents(auth))
    assert not [text for text in (secret, seed.key, *CODES) if text in everything]
    async with auth.db.read() as tx:
        selectors = [one for (one,) in await tx.execute(select(BACKUP_CODES.c.selector))]
    assert ["~=0", "~=1", "~=2"] == selectors


async def test_the_source_is_not_written(seed: Seed, bring: Bring, meet: Meet) -> None:
    await meet("ann", await seed.add("ann"))
    before = await seed.ask("SELECT * FROM users", {})
    await bring("seed", seed.url, old.asked(seed.key))
    assert before == await seed.ask("SELECT * FROM users", {})


async def contents(auth: Auth) -> dict[str, list[Any]]:
    """Return every row of every table."""
    async with auth.db.read() as tx:
        return {
            name: [tuple(row) for row in await tx.execute(select(table).order_by(*table.primary_key))]
            for name, table in migrate.metadata().tables.items()
        }


@pytest.mark.parametrize("doors", [["step-up"], ["disable"], ["remove"]])
async def test_an_imported_backup_code_opens_every_door_once(
    seed: Seed, bring: Bring, meet: Meet, doors: list[str]
) -> None:
    ann = await meet("ann", await seed.add("ann"))
    await seed.add_codes("ann", CODES)
    await bring("seed", seed.url, old.asked(seed.key))
    await ann.sign_in()
    extra = {"password": ann.password} if doors == ["disable"] else {}
    path = {"step-up": "/step-up", "disable": "/totp/disable", "remove": "/totp/authenticators/2/remove"}[doors[0]]
    if doors == ["remove"]:
        await ann.enrol("Tablet")
    assert "code_refused" == (await ann.post(path, {"backup_code": "WRONG", **extra})).json()["reason"]
    assert (await ann.post(path, {"backup_code": CODES[0], **extra})).status_code in {200, 204}
