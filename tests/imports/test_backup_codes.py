"""Imported backup codes beside ours: what each account is told, and what a guess costs."""

import pytest

from imports import old
from imports.conftest import Bring, Meet
from imports.old import Seed
from support.audit import reasons_of
from support.people import Person
from umbra.auth import Auth
from umbra.backup_codes import store
from umbra.core.ids import UserId
from umbra.imports.flows import MOST_BACKUP_CODES
from umbra.imports.record import Why

OURS_MISTYPED = "F8A3-0000-0000-0000-0000"


@pytest.fixture
async def ann(seed: Seed, bring: Bring, meet: Meet) -> Person:
    """Somebody with three imported codes."""
    person = await meet("ann", await seed.add("ann"), ["one-1", "two-2", "three-3"])
    await seed.add_codes("ann", person.backup_codes)
    await bring("seed", seed.url, old.asked(seed.key))
    return person


async def test_a_typing_error_in_a_code_of_ours_is_told_as_before(enrolled: Person, auth: Auth) -> None:
    challenge = await enrolled.challenge()
    for typed in ("one-1", OURS_MISTYPED):
        for _ in range(6):
            assert "invalid_request" == (await enrolled.verify(challenge, backup_code=typed)).json()["reason"]
        for path, more in (("/step-up", {}), ("/totp/disable", {"password": "wrong"})):
            answer = await enrolled.post(path, {"backup_code": typed, **more})
            assert "invalid_request" == answer.json()["reason"]
    assert 200 == (await enrolled.verify(challenge, backup_code=enrolled.backup_codes[0])).status_code
    assert [None] == await reasons_of(auth, "sign_in_code")


async def test_the_form_comes_before_everything_that_an_account_says(alice: Person) -> None:
    for token in ("no token", "umc_" + "A" * 43):
        assert "invalid_request" == (await alice.verify(token, backup_code="one-1")).json()["reason"]
    assert "invalid_request" == (await alice.post("/step-up", {"backup_code": "one-1"})).json()["reason"]
    disabling = {"password": "wrong", "backup_code": "one-1"}
    assert "invalid_request" == (await alice.post("/totp/disable", disabling)).json()["reason"]
    removing = await alice.post("/totp/authenticators/1/remove", {"backup_code": "one-1"})
    assert "invalid_request" == removing.json()["reason"]


async def test_where_codes_were_imported_every_text_is_a_guess_and_charged(ann: Person, auth: Auth) -> None:
    challenge = await ann.challenge()
    for typed in ("four-4", OURS_MISTYPED, "ONE-1", "x", "F8A3-0000-0000-0000-0001"):
        assert "code_refused" == (await ann.verify(challenge, backup_code=typed)).json()["reason"]
    assert ["wrong"] * 5 == await reasons_of(auth, "sign_in_code")
    assert "attempts_spent" == (await ann.verify(backup_code="one-1")).json()["reason"]


async def test_what_can_be_nobodys_code_is_charged_to_nobody(ann: Person) -> None:
    challenge = await ann.challenge()
    for typed in ("", "ä", "x" * 65):
        assert "invalid_request" == (await ann.verify(challenge, backup_code=typed)).json()["reason"]


async def test_a_guess_is_compared_with_every_imported_code_and_with_one_of_ours(
    ann: Person, enrolled: Person, auth: Auth
) -> None:
    await ann.verify(backup_code="two-2")
    async with auth.db.read() as tx:
        imported = await store.candidates(tx, UserId(number_of(ann)), None)
        ours = await store.candidates(tx, UserId(number_of(enrolled)), enrolled.backup_codes[0][:3])
        none = await store.candidates(tx, UserId(number_of(enrolled)), None)
    assert (3, 1, 0) == (len(imported), len(ours), len(none))


async def test_a_new_set_takes_the_place_of_imported_codes(ann: Person) -> None:
    await ann.sign_in()
    answer = await ann.post("/totp/backup-codes/regenerate", {"password": ann.password, "code": ann.fresh_code()})
    fresh = answer.json()["backup_codes"]
    challenge = await ann.challenge()
    assert "invalid_request" == (await ann.verify(challenge, backup_code="one-1")).json()["reason"]
    assert 9 == (await ann.verify(challenge, backup_code=fresh[0])).json()["backup_codes_remaining"]


async def test_of_too_many_codes_the_unused_come_first_and_the_rest_is_listed(
    seed: Seed, bring: Bring, meet: Meet
) -> None:
    codes = [f"code-{number}" for number in range(MOST_BACKUP_CODES + 2)]
    ann = await meet("ann", await seed.add("ann"))
    await seed.add_codes("ann", codes)
    for used in codes[:3]:
        assert await seed.redeem("ann", used)
    report = await bring("seed", seed.url, old.asked(seed.key))
    assert [Why.TOO_MANY, Why.TOO_MANY] == [one.why for one in report.left]
    answer = await ann.verify(backup_code=codes[-1])
    assert MOST_BACKUP_CODES - 2 == answer.json()["backup_codes_remaining"]


@pytest.mark.parametrize(
    ("hashed", "comes"),
    [
        ("$argon2id$v=19$m=262144,t=16,p=1$c2FsdHNhbHQ$aGFzaGhhc2g", True),
        ("$argon2id$v=19$m=262145,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g", False),
        ("$argon2id$v=19$m=8,t=17,p=1$c2FsdHNhbHQ$aGFzaGhhc2g", False),
        ("$argon2id$", False),
        ("$pbkdf2-sha256$29000$N2YMIWQsBWBMae09x1jrPQ$1t8iyB2A", False),
    ],
)
async def test_a_hash_that_cannot_be_looked_at_here_is_left_out(
    seed: Seed, bring: Bring, meet: Meet, hashed: str, *, comes: bool
) -> None:
    await meet("ann", await seed.add("ann"))
    await seed.add_codes("ann", ["one"])
    await seed.say("UPDATE backup_codes SET code_hash = :h", {"h": hashed})
    report = await bring("seed", seed.url, old.asked(seed.key))
    assert [int(comes)] == [one.backup_codes for one in report.moved]
    assert ([] if comes else [Why.OTHER_HASH]) == [one.why for one in report.left]


def number_of(person: Person) -> int:
    return {"ann": 1, "alice": 2}[person.username]
