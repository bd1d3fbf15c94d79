"""``umbra import`` as an operator runs it."""

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import argon2
import click.testing
import pyotp
import pytest
from cryptography.fernet import Fernet

from imports import old
from support.blocks import ROOT, blocks
from umbra.cli.main import main
from umbra.crypto.keyring import new_key
from umbra.imports.record import Note, Why

Result = click.testing.Result
Umbra = Callable[..., Result]
MOVING = ROOT / "docs" / "moving.md"
PASSWORD = "correct horse battery staple 9\n"
OWN = ("--from", "base32", "--table", "people", "--secret-column", "otp", "--login-column", "nick")


@pytest.fixture
def umbra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> Umbra:
    """Run a command on an installation of the test's own, where ``ann`` has an account."""
    monkeypatch.setenv("UMBRA_DATABASE_URL", database_url)
    monkeypatch.setenv("UMBRA_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("UMBRA_ENCRYPTION_KEYS", new_key().reveal())

    def run(*arguments: str, **more: Any) -> Result:
        result = click.testing.CliRunner().invoke(main, arguments, **more)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    assert 0 == run("users", "add", "ann", "--password-stdin", input=PASSWORD).exit_code
    return run


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., str]:
    """A table of one's own."""

    def made(*rows: tuple[str, str]) -> str:
        connection = sqlite3.connect(tmp_path / "own.db")
        connection.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, nick TEXT, otp TEXT)")
        connection.executemany("INSERT INTO people (nick, otp) VALUES (?, ?)", rows)
        connection.commit()
        connection.close()
        return f"sqlite:///{tmp_path}/own.db"

    return made


def test_all_that_came_exits_with_zero_and_what_did_not_with_one(umbra: Umbra, source: Callable[..., str]) -> None:
    address = source(("ann", pyotp.random_base32()))
    rehearsed = umbra("import", *OWN, "--source", address, "--dry-run", "--json")
    assert 0 == rehearsed.exit_code, rehearsed.output
    done = umbra("import", *OWN, "--source", address, "--json")
    came = [{"account": "ann", "authenticators": 1, "backup_codes": 0, "notes": []}]
    assert {"dry_run": True, "imported": came, "left_out": []} == json.loads(rehearsed.stdout)
    assert {"dry_run": False, "imported": came, "left_out": []} == json.loads(done.stdout)
    again = umbra("import", *OWN, "--source", address, "--json")
    assert 1 == again.exit_code
    left_out = [{"account": "ann", "what": "account", "reason": "already_enabled"}]
    assert {"dry_run": False, "imported": [], "left_out": left_out} == json.loads(again.stdout)


def test_people_read_a_line_for_each_account(umbra: Umbra, source: Callable[..., str]) -> None:
    secret = pyotp.random_base32()
    address = source(("ann", "GEZDGNBVGY3TQOJQ"), ("bob\x1b[31m", secret), ("cat", "?"))
    result = umbra("import", *OWN, "--source", address)
    assert 1 == result.exit_code
    assert [
        "ann: authenticators 1, backup codes 0 (short_secret)",
        "cat: authenticator left out: malformed",
        "bob\N{REPLACEMENT CHARACTER}[31m: account left out: unknown_account",
        "1 accounts imported; 2 things left out, see docs/moving.md.",
    ] == result.stdout.splitlines()
    assert secret not in result.output


def test_the_page_about_moving_shows_what_the_command_prints(umbra: Umbra, tmp_path: Path) -> None:
    command, printed = (block.text for block in list(blocks(MOVING))[:2])
    assert 0 == umbra("users", "add", "ben", "--password-stdin", input=PASSWORD).exit_code
    key = Fernet.generate_key()
    (tmp_path / "old-keys").write_text(key.decode())
    secrets = [Fernet(key).encrypt(pyotp.random_base32().encode()).decode() for _ in range(2)]
    database = sqlite3.connect(tmp_path / "old.db")
    database.executescript("""
        CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT, totp_secret TEXT, totp_enabled BOOLEAN);
        CREATE TABLE totp_usage (id INTEGER PRIMARY KEY, user_id INTEGER, code TEXT, "window" INTEGER, used_at TEXT);
        CREATE TABLE backup_codes (id INTEGER PRIMARY KEY, user_id INTEGER, code_hash TEXT, used_at, created_at);
    """)
    database.executemany(
        "INSERT INTO users VALUES (?, ?, ?, ?)", [(1, "ann", secrets[0], 1), (2, "ben", secrets[1], 0)]
    )
    hashed = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("AAAA-BBBB")
    database.executemany(
        "INSERT INTO backup_codes VALUES (?, 1, ?, NULL, '2026-01-01')", [(number, hashed) for number in range(10)]
    )
    database.commit()
    database.close()
    words = command.split()[1:]
    words[words.index("--source") + 1] = f"sqlite:///{tmp_path}/old.db"
    words[words.index("--key-file") + 1] = str(tmp_path / "old-keys")
    result = umbra(*words)
    assert printed == result.stdout, result.stderr


def test_the_address_and_the_key_may_come_from_the_environment(
    umbra: Umbra, source: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = Fernet.generate_key()
    sealed = Fernet(key).encrypt(pyotp.random_base32().encode()).decode()
    monkeypatch.setenv("UMBRA_IMPORT_URL", source(("ann", sealed)))
    assert "unreadable" in umbra("import", *OWN, "--json", env={"UMBRA_IMPORT_KEY": new_key().reveal()}).stdout
    assert 0 == umbra("import", *OWN, env={"UMBRA_IMPORT_KEY": key.decode()}).exit_code


def test_keys_may_come_from_a_file(umbra: Umbra, source: Callable[..., str], tmp_path: Path) -> None:
    key = Fernet.generate_key()
    file = tmp_path / "old-keys"
    file.write_text(f"# the newest first\n{new_key().reveal()}\n{key.decode()}\n")
    address = source(("ann", Fernet(key).encrypt(pyotp.random_base32().encode()).decode()))
    assert 0 == umbra("import", *OWN, "--source", address, "--key-file", str(file)).exit_code


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--from", "seed"), "--source or UMBRA_IMPORT_URL"),
        (("--from", "otpauth-csv"), "--source"),
        (("--from", "seed", "--source", "sqlite:////no/where.db"), "no SQLite file"),
        (("--from", "seed", "--key-file", "/no/where", "--source", "x"), "cannot be read"),
        (("--from", "base32", "--source", "postgresql://a:hunter2@127.0.0.1:1/x"), "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(umbra: Umbra, arguments: tuple[str, ...], sentence: str) -> None:
    result = umbra("import", *arguments)
    assert 1 == result.exit_code
    assert sentence in result.stderr
    assert 1 == len(result.stderr.splitlines())
    assert "hunter2" not in result.output


def test_a_kind_that_is_not_known_is_not_of_the_form(umbra: Umbra) -> None:
    assert 2 == umbra("import", "--from", "elsewhere").exit_code
    assert 2 == umbra("import").exit_code


def test_every_reason_and_note_is_explained_and_no_other() -> None:
    document = MOVING.read_text()
    assert {*Why, *Note} == set(re.findall(r"^\| `(\w+)` \|", document, re.MULTILINE))


def test_a_file_of_uris_is_a_source(umbra: Umbra, tmp_path: Path) -> None:
    file = tmp_path / "apps.csv"
    file.write_text(f"otpauth://totp/Old:ann?secret={old.base32(bytes(20))}\n")
    result = umbra("import", "--from", "otpauth-csv", "--source", str(file), "--json")
    assert ["ann"] == [one["account"] for one in json.loads(result.stdout)["imported"]]
