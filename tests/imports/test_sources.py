"""From databases that django-otp, django-allauth and better-auth have made, and from tables and files of one's own."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pyotp
import pytest
from cryptography.fernet import Fernet

from imports import old
from imports.conftest import Bring, Meet
from support.people import PERIOD, Person
from umbra.core.clock import FixedClock
from umbra.core.errors import Misconfigured
from umbra.imports import allauth
from umbra.imports.record import Note, Why

DJANGO = json.loads((old.VECTORS / "django.json").read_text())
BETTER = json.loads((old.VECTORS / "better_auth.json").read_text())

RFC = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def in_base32(hexadecimal: str) -> str:
    return old.base32(bytes.fromhex(hexadecimal))


async def refused(person: Person, **proof: str) -> bool:
    answer = await person.verify(**proof)
    assert answer.status_code in {200, 400}, answer.text
    return answer.status_code == 400


# django-otp


@pytest.fixture
def django_otp(tmp_path: Path) -> str:
    return old.script(tmp_path / "django.db", (old.VECTORS / "django_otp.sql").read_text())


async def test_two_devices_of_django_otp_and_its_tokens_go_on_working(
    django_otp: str, bring: Bring, meet: Meet, clock: FixedClock
) -> None:
    there = DJANGO["django_otp"]
    ann = await meet("ann", in_base32(there["keys"]["phone"]))

    report = await bring("django-otp", django_otp, old.asked())

    assert [("ann", 2, 3)] == [(one.account, one.authenticators, one.backup_codes) for one in report.moved]
    assert there["used_code"] == ann.code()
    assert await refused(ann, code=there["used_code"])
    assert not await refused(ann, code=ann.code(1))
    assert not await refused(ann, code=ann.code(secret=in_base32(there["keys"]["tablet"])))
    assert await refused(ann, backup_code=there["used_token"])
    assert not await refused(ann, backup_code=there["tokens"][1].upper())
    clock.move(PERIOD)
    assert await refused(ann, backup_code=there["tokens"][1])
    names = [one["name"] for one in (await ann.get("/totp/status")).json()["authenticators"]]
    assert ["default", "default 2"] == names


async def test_what_django_otp_has_that_we_have_not_is_listed(django_otp: str, bring: Bring, meet: Meet) -> None:
    for name in ("ann", "ben", "cat", "dan", "eve"):
        await meet(name)
    report = await bring("django-otp", django_otp, old.asked())
    assert [("ann", ()), ("eve", (Note.CLOCK_OFF,))] == [(one.account, one.notes) for one in report.moved]
    assert {
        ("ben", "authenticator", Why.NOT_CONFIRMED),
        ("cat", "authenticator", Why.OTHER_PARAMETERS),
        ("dan", "counter-based token", Why.OTHER_METHOD),
        ("dan", "codes by mail", Why.OTHER_METHOD),
    } == {(one.account, one.what, one.why) for one in report.left}


async def test_people_are_found_by_another_column_if_one_is_named(django_otp: str, bring: Bring, meet: Meet) -> None:
    await meet("ann@example.com")
    report = await bring("django-otp", django_otp, old.asked(login_column="email"))
    assert ["ann@example.com"] == [one.account for one in report.moved]


# django-allauth


@pytest.fixture
def allauth_url(tmp_path: Path) -> str:
    return old.script(tmp_path / "allauth.db", (old.VECTORS / "allauth.sql").read_text())


def test_recovery_codes_are_those_that_allauth_derives() -> None:
    seed = json.loads(_data(old.VECTORS / "allauth.sql", "recovery_codes"))["seed"]
    assert DJANGO["allauth"]["recovery_codes"] == allauth.recovery_codes(seed)


async def test_allauths_authenticators_and_recovery_codes_go_on_working(
    allauth_url: str, bring: Bring, meet: Meet
) -> None:
    there = DJANGO["allauth"]
    ann = await meet("ann", there["secret"])
    fay = await meet("fay")

    report = await bring("allauth", allauth_url, old.asked())

    assert [("ann", 1, 10), ("fay", 1, 2)] == [
        (one.account, one.authenticators, one.backup_codes) for one in report.moved
    ]
    assert await refused(ann, code=there["used_code"])
    assert await refused(ann, code=ann.code(1))  # allauth says when, and not which: its neighbour may be the one
    for used in there["used_recovery_codes"]:
        assert await refused(ann, backup_code=used)
    assert not await refused(ann, backup_code="9778 4544")
    assert await refused(ann, backup_code="97784544")
    assert there["next_code"] == ann.code(2)
    ann.clock.move(PERIOD)
    assert not await refused(ann, code=there["next_code"])
    assert not await refused(fay, backup_code="old-code-2")


async def test_what_allauth_has_that_we_have_not_is_listed(allauth_url: str, bring: Bring, meet: Meet) -> None:
    for name in ("ann", "cat"):
        await meet(name)
    report = await bring("allauth", allauth_url, old.asked())
    assert {
        ("ben", "account", Why.UNKNOWN_ACCOUNT),
        ("cat", "webauthn", Why.OTHER_METHOD),
        ("fay", "account", Why.UNKNOWN_ACCOUNT),
    } == {(one.account, one.what, one.why) for one in report.left}


async def test_recovery_codes_of_another_number_are_not_guessed(tmp_path: Path, bring: Bring, meet: Meet) -> None:
    sql = (old.VECTORS / "allauth.sql").read_text().replace('"used_mask": 129', '"used_mask": 1024')
    await meet("ann")
    report = await bring("allauth", old.script(tmp_path / "more.db", sql), old.asked())
    assert ("ann", "backup codes", Why.OTHER_PARAMETERS) in [(one.account, one.what, one.why) for one in report.left]
    assert [("ann", 1, 0)] == [(one.account, one.authenticators, one.backup_codes) for one in report.moved]


async def test_secrets_that_an_adapter_put_under_fernet_are_opened(tmp_path: Path, bring: Bring, meet: Meet) -> None:
    key = Fernet.generate_key()
    plain = DJANGO["allauth"]["secret"]
    sql = (old.VECTORS / "allauth.sql").read_text()
    sealed = sql.replace(plain, Fernet(key).encrypt(plain.encode()).decode())
    ann = await meet("ann", plain)
    report = await bring("allauth", old.script(tmp_path / "sealed.db", sealed), old.asked(key.decode()))
    assert [("ann", "backup codes", Why.UNREADABLE)] == [
        (one.account, one.what, one.why) for one in report.left if one.account == "ann" and one.what != "account"
    ]
    ann.clock.move(PERIOD)
    assert not await refused(ann, code=ann.code(1))


async def test_what_postgresql_calls_json_and_a_moment_is_read_too(
    empty_postgresql_url: str, bring: Bring, meet: Meet
) -> None:
    there = DJANGO["allauth"]
    seed = json.loads(_data(old.VECTORS / "allauth.sql", "recovery_codes"))["seed"]
    url = empty_postgresql_url
    await old.say(url, "CREATE TABLE auth_user (id serial PRIMARY KEY, username varchar(150), email varchar(254))")
    await old.say(
        url,
        "CREATE TABLE mfa_authenticator (id bigserial PRIMARY KEY, type varchar(20), data jsonb,"
        " user_id integer REFERENCES auth_user (id), created_at timestamptz, last_used_at timestamptz)",
    )
    await old.say(url, "INSERT INTO auth_user (username) VALUES ('ann')")
    for kind, data in (("totp", {"secret": there["secret"]}), ("recovery_codes", {"seed": seed, "used_mask": 129})):
        await old.say(
            url,
            "INSERT INTO mfa_authenticator (type, data, user_id, created_at, last_used_at) VALUES (:t, :d, 1, :c, :c)",
            t=kind,
            d=json.dumps(data),
            c=old.noon(),
        )
    ann = await meet("ann", there["secret"])
    report = await bring("allauth", empty_postgresql_url, old.asked())
    assert [("ann", 1, 10)] == [(one.account, one.authenticators, one.backup_codes) for one in report.moved]
    assert await refused(ann, code=there["used_code"])
    assert await refused(ann, backup_code=there["used_recovery_codes"][0])
    ann.clock.move(PERIOD)
    assert not await refused(ann, code=ann.code(1))
    status = (await ann.get("/totp/status")).json()
    assert "2026-01-01T12:00:00Z" == status["authenticators"][0]["created_at"]
    assert {"total": 10, "remaining": 8, "created_at": "2026-01-01T12:00:00Z"} == status["backup_codes"]


# better-auth


BETTER_TABLES = """
CREATE TABLE "user" ("id" text PRIMARY KEY, "email" text NOT NULL UNIQUE, "twoFactorEnabled" integer);
CREATE TABLE "twoFactor" ("id" text PRIMARY KEY, "secret" text NOT NULL, "backupCodes" text NOT NULL,
    "userId" text NOT NULL REFERENCES "user" ("id"), "verified" integer);
"""

FACTOR = ("id", "secret", "backupCodes", "userId", "verified")

SNAKE = {'"user"': "users", '"twoFactor"': "two_factors", '"twoFactorEnabled"': "two_factor_enabled",
         '"backupCodes"': "backup_codes", '"userId"': "user_id"}  # fmt: skip
"""What a schema of one's own, under Drizzle or Prisma, often calls them."""


def better_auth(path: Path, rows: dict[str, Any], tables: str = BETTER_TABLES) -> str:
    connection = sqlite3.connect(path)
    connection.executescript(tables)
    users = [(one["id"], one["email"], one["twoFactorEnabled"]) for one in rows["user"]]
    factors = [tuple(one[name] for name in FACTOR) for one in rows["twoFactor"]]
    is_snake = '"user"' not in tables
    into = "INSERT INTO users" if is_snake else 'INSERT INTO "user"'
    connection.executemany(f"{into} VALUES (?, ?, ?)", users)
    into = "INSERT INTO two_factors" if is_snake else 'INSERT INTO "twoFactor"'
    connection.executemany(f"{into} VALUES (?, ?, ?, ?, ?)", factors)
    connection.commit()
    connection.close()
    return f"sqlite:///{path}"


@pytest.mark.parametrize("is_snake", [False, True])
async def test_better_auths_authenticators_and_backup_codes_go_on_working(
    tmp_path: Path, bring: Bring, meet: Meet, *, is_snake: bool
) -> None:
    there = BETTER["people"][0]
    tables = BETTER_TABLES
    for name, other in SNAKE.items() if is_snake else ():
        tables = tables.replace(name, other)
    ann = await meet(there["email"], there["base32"])

    report = await bring("better-auth", better_auth(tmp_path / "b.db", BETTER, tables), old.asked(BETTER["secret"]))

    assert [(there["email"], 1, 9)] == [(one.account, one.authenticators, one.backup_codes) for one in report.moved]
    assert [("ben@example.com", Why.NOT_CONFIRMED)] == [(one.account, one.why) for one in report.left]
    assert not await refused(ann, code=ann.code())
    assert await refused(ann, backup_code=there["used"][0])
    code = there["backup_codes"][1]
    assert not await refused(ann, backup_code=code)
    assert await refused(ann, backup_code=code.replace("-", "").lower())


def test_better_auths_codes_are_those_of_the_uris_secret() -> None:
    for person in BETTER["people"]:
        app = pyotp.TOTP(person["base32"])
        assert person["codes"] == {step: app.generate_otp(int(step)) for step in person["codes"]}


async def test_backup_codes_that_better_auth_keeps_in_plain_come_too(tmp_path: Path, bring: Bring, meet: Meet) -> None:
    there = BETTER["plain"]["people"][0]
    cat = await meet(there["email"], there["base32"])
    await bring("better-auth", better_auth(tmp_path / "b.db", BETTER["plain"]), old.asked(BETTER["secret"]))
    assert not await refused(cat, backup_code=there["backup_codes"][0])


async def test_any_of_several_better_auth_secrets_may_be_the_right_one(
    tmp_path: Path, bring: Bring, meet: Meet
) -> None:
    there = BETTER["rotated"]["people"][0]
    await meet(there["email"])
    url = better_auth(tmp_path / "b.db", BETTER["rotated"])
    report = await bring("better-auth", url, old.asked(BETTER["secret"]))
    assert [Why.UNREADABLE, Why.UNREADABLE] == [one.why for one in report.left]
    report = await bring("better-auth", url, old.asked(BETTER["secret"], BETTER["rotated"]["secret"]))
    assert [(there["email"], 10)] == [(one.account, one.backup_codes) for one in report.moved]


async def test_what_better_auth_had_from_elsewhere_is_base32(tmp_path: Path, bring: Bring, meet: Meet) -> None:
    rows = {
        "user": BETTER["user"][:1],
        "twoFactor": [BETTER["twoFactor"][0] | {"secret": BETTER["base32_prefixed"]["data"]}],
    }
    ann = await meet("ann@example.com", BETTER["base32_prefixed"]["secret_base32"])
    await bring("better-auth", better_auth(tmp_path / "b.db", rows), old.asked(BETTER["secret"]))
    assert not await refused(ann, code=ann.code())


async def test_somebody_with_codes_by_mail_only_is_listed(tmp_path: Path, bring: Bring) -> None:
    url = better_auth(tmp_path / "b.db", {"user": BETTER["user"][:1], "twoFactor": []})
    report = await bring("better-auth", url, old.asked(BETTER["secret"]))
    assert [("codes by mail", Why.OTHER_METHOD)] == [(one.what, one.why) for one in report.left]


# A table of one's own


def table(path: Path, *rows: tuple[str, str | None]) -> str:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, nick TEXT, otp TEXT)")
    connection.executemany("INSERT INTO people (nick, otp) VALUES (?, ?)", rows)
    connection.commit()
    connection.close()
    return f"sqlite:///{path}"


OWN = {"table": "people", "secret_column": "otp", "login_column": "nick"}


async def test_a_column_of_base32_goes_on_working(tmp_path: Path, bring: Bring, meet: Meet) -> None:
    secret = pyotp.random_base32()
    ann = await meet("ann", secret)
    spaced = " ".join(secret[i : i + 4] for i in range(0, 32, 4)).lower()
    report = await bring("base32", table(tmp_path / "own.db", ("ann", spaced), ("bob", None)), old.asked(**OWN))
    assert (["ann"], ()) == ([one.account for one in report.moved], report.left)
    assert not await refused(ann, code=ann.code())


async def test_a_column_of_base32_under_fernet_goes_on_working(tmp_path: Path, bring: Bring, meet: Meet) -> None:
    key = Fernet.generate_key()
    ann = await meet("ann", RFC)
    url = table(tmp_path / "own.db", ("ann", Fernet(key).encrypt(RFC.encode()).decode()))
    await bring("base32", url, old.asked(key.decode(), **OWN))
    assert not await refused(ann, code=ann.code())


@pytest.mark.parametrize(
    ("octets", "notes", "whys"),
    [
        (9, None, [Why.TOO_SHORT]),
        (10, (Note.SHORT_SECRET,), []),
        (15, (Note.SHORT_SECRET,), []),
        (16, (), []),
        (128, (), []),
        (129, None, [Why.MALFORMED]),
    ],
)
async def test_a_short_secret_comes_and_is_named_and_a_shorter_one_does_not(
    tmp_path: Path, bring: Bring, meet: Meet, octets: int, notes: tuple[Note, ...] | None, whys: list[Why]
) -> None:
    await meet("ann")
    url = table(tmp_path / "own.db", ("ann", old.base32(bytes(range(octets)))))
    report = await bring("base32", url, old.asked(**OWN))
    assert ([] if notes is None else [notes]) == [one.notes for one in report.moved]
    assert whys == [one.why for one in report.left]


@pytest.mark.parametrize("secret", ["0189", "ä", "A", "secret!!"])
async def test_what_is_no_base32_is_listed(tmp_path: Path, bring: Bring, secret: str) -> None:
    report = await bring("base32", table(tmp_path / "own.db", ("ann", secret)), old.asked(**OWN))
    assert [("ann", Why.MALFORMED)] == [(one.account, one.why) for one in report.left]


async def test_a_table_beside_the_accounts_is_followed_to_them(tmp_path: Path, bring: Bring, meet: Meet) -> None:
    url = old.script(
        tmp_path / "own.db",
        "CREATE TABLE people (id INTEGER PRIMARY KEY, nick TEXT);"
        "CREATE TABLE apps (user_id INTEGER REFERENCES people (id), otp TEXT);"
        "INSERT INTO people VALUES (7, 'ann'); INSERT INTO apps VALUES (7, 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ')",
    )
    ann = await meet("ann", RFC)
    await bring("base32", url, old.asked(table="apps", secret_column="otp", login_column="nick"))
    assert not await refused(ann, code=ann.code())


async def test_one_secret_twice_is_one_authenticator(tmp_path: Path, bring: Bring, meet: Meet) -> None:
    await meet("ann")
    report = await bring("base32", table(tmp_path / "own.db", ("ann", RFC), ("Ann", RFC)), old.asked(**OWN))
    assert [1] == [one.authenticators for one in report.moved]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ({}, "--table"),
        (OWN | {"table": "nobody"}, "no table 'nobody'"),
        (OWN | {"secret_column": "x"}, "no column 'x'"),
        ({"table": "people", "secret_column": "otp"}, "--login-column"),
    ],
)
async def test_what_the_operator_must_name_is_said(
    tmp_path: Path, bring: Bring, names: dict[str, str], sentence: str
) -> None:
    with pytest.raises(Misconfigured, match=sentence):
        await bring("base32", table(tmp_path / "own.db", ("ann", RFC)), old.asked(**names))


@pytest.mark.parametrize("kind", ["seed", "django-otp", "allauth", "better-auth"])
async def test_a_database_of_another_shape_is_said_to_be_one(tmp_path: Path, bring: Bring, kind: str) -> None:
    key = Fernet.generate_key().decode()
    with pytest.raises(Misconfigured, match="the source"):
        await bring(kind, table(tmp_path / "own.db", ("ann", RFC)), old.asked(key))


@pytest.mark.parametrize("kind", ["seed", "better-auth"])
async def test_an_encrypted_source_wants_its_key(tmp_path: Path, bring: Bring, kind: str) -> None:
    with pytest.raises(Misconfigured, match="--key-file"):
        await bring(kind, table(tmp_path / "own.db", ("ann", RFC)), old.asked())


@pytest.mark.parametrize("kind", ["seed", "base32"])
async def test_a_key_that_is_none_is_told_without_it(tmp_path: Path, bring: Bring, kind: str) -> None:
    with pytest.raises(Misconfigured, match="not a Fernet key") as refusal:
        await bring(kind, table(tmp_path / "own.db", ("ann", RFC)), old.asked("hunter2hunter2", **OWN))
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("sqlite:////nowhere/at/all.db", "no SQLite file"),
        ("mysql://root:secret@localhost/x", "must start with"),
        ("::", "not a database address"),
        ("postgresql://root:secret@127.0.0.1:1/x", "cannot be read"),
    ],
)
async def test_a_source_that_is_not_there_is_told_without_its_address(
    bring: Bring, address: str, sentence: str
) -> None:
    with pytest.raises(Misconfigured, match=sentence) as refusal:
        await bring("base32", address, old.asked(**OWN))
    assert "secret@" not in str(refusal.value)


# A file of URIs


async def test_a_file_of_uris_goes_on_working(tmp_path: Path, bring: Bring, meet: Meet) -> None:
    other = pyotp.random_base32()
    file = tmp_path / "apps.csv"
    file.write_text(
        "name,uri\r\n"
        f"ann,otpauth://totp/Old:somebody?secret={RFC}&issuer=Old\r\n"
        f"otpauth://totp/Old%3Abob%40example.com?secret={other.lower()}&algorithm=SHA1&digits=6&period=30\r\n"
    )
    ann, bob = await meet("ann", RFC), await meet("bob@example.com", other)
    report = await bring("otpauth-csv", str(file), old.asked())
    assert (2, ()) == (len(report.moved), report.left)
    assert not await refused(ann, code=ann.code())
    assert not await refused(bob, code=bob.code())


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        (f"otpauth://hotp/ann?secret={RFC}&counter=0", Why.OTHER_METHOD),
        ("otpauth-migration://offline?data=CkAKFDEyMzQ1", Why.OTHER_METHOD),
        (f"otpauth://totp/ann?secret={RFC}&digits=8", Why.OTHER_PARAMETERS),
        (f"otpauth://totp/ann?secret={RFC}&period=60", Why.OTHER_PARAMETERS),
        (f"otpauth://totp/ann?secret={RFC}&algorithm=SHA256", Why.OTHER_PARAMETERS),
        ("otpauth://totp/ann?secret=018", Why.MALFORMED),
        ("otpauth://totp/ann", Why.TOO_SHORT),
        ("otpauth://[totp/ann?secret=AAAA", Why.MALFORMED),
        ("https://example.com", Why.MALFORMED),
    ],
)
async def test_a_line_that_cannot_come_is_listed(tmp_path: Path, bring: Bring, uri: str, why: Why) -> None:
    file = tmp_path / "apps.csv"
    file.write_text(f"name,uri\nann,{uri}\n")
    report = await bring("otpauth-csv", str(file), old.asked())
    assert [("ann", why)] == [(one.account, one.why) for one in report.left]


async def test_a_file_that_is_none_is_told(tmp_path: Path, bring: Bring) -> None:
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("bytes.csv", "nothing.csv"):
        with pytest.raises(Misconfigured, match="cannot be read"):
            await bring("otpauth-csv", str(tmp_path / name), old.asked())


def _data(path: Path, kind: str) -> str:
    """Return the JSON of the first row of that type in a dump of allauth's table."""
    line = next(line for line in path.read_text().splitlines() if f"'{kind}'" in line)
    return line.split("'")[3]
