"""The operator's commands, on both databases."""

import gc
import json
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import click.testing
import pytest
from sqlalchemy import create_engine, text

from support.mail import PostOffice, free_port
from umbra import __version__
from umbra.cli.main import main
from umbra.crypto.keyring import Keyring, new_key
from umbra.doctor import EXIT_CODES

Result = click.testing.Result
Umbra = Callable[..., Result]
FAST_ONLY: dict[str, dict[str, int]] = {"sqlite": {}, "postgr": {"durability": EXIT_CODES["durability"]}}
"""What the doctor finds of a test's database: the PostgreSQL of the tests may lose what it commits."""

PASSWORD = "correct horse battery staple 9\n"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> dict[str, str]:
    """The settings of an installation of the test's own."""
    settings = {
        "UMBRA_DATABASE_URL": database_url,
        "UMBRA_DATA_DIR": str(tmp_path / "data"),
        "UMBRA_ENCRYPTION_KEYS": new_key().reveal(),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.fixture
def umbra(environment: dict[str, str]) -> Umbra:
    """Run a command; it must not leave a traceback."""

    def run(*arguments: str, **more: str) -> Result:
        result = click.testing.CliRunner().invoke(main, arguments, **more)  # type: ignore[arg-type]
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    return run


def add(umbra: Umbra, name: str, *options: str) -> Result:
    result = umbra("users", "add", name, "--password-stdin", *options, input=PASSWORD)
    assert 0 == result.exit_code, result.output
    return result


def test_users_are_added_and_listed(umbra: Umbra) -> None:
    added = add(umbra, "alice", "--email", "alice@example.com", "--operator", "--json")
    assert ("alice", "alice@example.com", True) == tuple(
        json.loads(added.stdout)[key] for key in ("username", "email", "operator")
    )
    add(umbra, "bob")
    assert ["alice", "bob"] == [one["username"] for one in json.loads(umbra("users", "list", "--json").stdout)]
    assert "operator" in umbra("users", "list").stdout.splitlines()[0]


def test_a_password_is_asked_for_twice_and_not_shown(umbra: Umbra) -> None:
    result = umbra("users", "add", "alice", input=PASSWORD + PASSWORD)
    assert 0 == result.exit_code, result.output
    assert PASSWORD.strip() not in result.output
    assert 1 == umbra("users", "add", "bob", input=PASSWORD + "something else\n").exit_code


@pytest.mark.parametrize(
    ("arguments", "typed", "sentence"),
    [
        (("users", "add", "ALICE", "--password-stdin"), PASSWORD, "user name taken"),
        (("users", "add", "bob", "--password-stdin"), "short\n", "password refused: use at least 15 characters"),
        (("users", "add", "bob", "--password-stdin", "--email", "x"), PASSWORD, "email must be a mail address"),
        (("users", "add", "\u202e", "--password-stdin"), PASSWORD, "username must hold printable characters only"),
        (("users", "disable", "nobody"), "", "there is no account of that name"),
        (("users", "enable", "nobody"), "", "there is no account of that name"),
        (("users", "reset-mfa", "nobody", "--yes"), "", "there is no account of that name"),
        (("audit", "list", "--user", "nobody"), "", "there is no account of that name"),
        (("db", "upgrade", "no-such"), "", "the schema cannot go to"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_exits_with_one(
    umbra: Umbra, arguments: tuple[str, ...], typed: str, sentence: str
) -> None:
    add(umbra, "alice")
    result = umbra(*arguments, input=typed)
    assert 1 == result.exit_code
    assert sentence in result.stderr
    assert 1 == len(result.stderr.splitlines())


def test_an_account_is_disabled_and_enabled(umbra: Umbra) -> None:
    add(umbra, "alice")
    assert 0 == umbra("users", "disable", "Alice").exit_code
    assert json.loads(umbra("users", "list", "--json").stdout)[0]["disabled_at"]
    assert 0 == umbra("users", "enable", "alice").exit_code
    assert json.loads(umbra("users", "list", "--json").stdout)[0]["disabled_at"] is None
    events = [one["event"] for one in json.loads(umbra("audit", "list", "--json").stdout)]
    assert ["account_enabled", "account_disabled", "account_created"] == events


def test_resetting_a_second_factor_asks_first(umbra: Umbra) -> None:
    add(umbra, "alice")
    assert 1 == umbra("users", "reset-mfa", "alice", input="n\n").exit_code
    assert 0 == umbra("users", "reset-mfa", "alice", input="y\n").exit_code
    assert 0 == umbra("users", "reset-mfa", "alice", "--yes").exit_code


def test_the_schema_is_checked_taken_down_and_brought_up(umbra: Umbra) -> None:
    assert 0 == umbra("db", "check").exit_code
    assert 0 == umbra("db", "downgrade", "base").exit_code
    down = umbra("db", "check", "--json")
    assert 1 == down.exit_code
    assert json.loads(down.stdout)["differences"]
    assert 0 == umbra("db", "upgrade").exit_code
    assert 0 == umbra("db", "check").exit_code


def test_a_command_says_that_a_postgresql_schema_is_old(umbra: Umbra, environment: dict[str, str]) -> None:
    umbra("db", "downgrade", "base")
    result = umbra("users", "list")
    if environment["UMBRA_DATABASE_URL"].startswith("sqlite"):
        assert 0 == result.exit_code  # a SQLite file is brought up to date by itself
    else:
        assert 1 == result.exit_code
        assert "umbra db upgrade" in result.stderr


COMMANDS = [
    ("users", "list"),
    ("users", "add", "bob", "--password-stdin"),
    ("users", "disable", "alice"),
    ("users", "reset-mfa", "alice", "--yes"),
    ("keys", "rotate"),
    ("keys", "status"),
    ("audit", "list"),
    ("cleanup",),
    ("serve",),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("key", [None, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "nonsense"])
def test_a_key_that_does_not_open_the_data_stops_every_command(
    umbra: Umbra, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], key: str | None
) -> None:
    add(umbra, "alice")
    monkeypatch.setenv("UMBRA_ENCRYPTION_KEYS", key or new_key().reveal())
    result = umbra(*command, input=PASSWORD)
    assert 1 == result.exit_code
    assert "UMBRA_ENCRYPTION_KEYS" in result.stderr
    if key:
        assert key not in result.output


def test_keys_are_rotated_and_counted(
    umbra: Umbra, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(umbra, "alice")
    old, new = environment["UMBRA_ENCRYPTION_KEYS"], umbra("keys", "new").stdout.strip()
    assert 44 == len(new)
    monkeypatch.setenv("UMBRA_ENCRYPTION_KEYS", f"{new},{old}")
    before = json.loads(umbra("keys", "status", "--json").stdout)
    assert (2, 0) == (len(before["keys"]), before["unreadable"])
    assert all({"id", "rows"} == set(one) for one in before["keys"])
    assert 0 == umbra("keys", "rotate").exit_code
    monkeypatch.setenv("UMBRA_ENCRYPTION_KEYS", new)
    assert 0 == umbra("keys", "status").exit_code
    monkeypatch.setenv("UMBRA_ENCRYPTION_KEYS", old)
    assert 1 == umbra("keys", "status").exit_code


def test_doctor_finds_a_healthy_installation_well_and_a_sick_one_not(
    umbra: Umbra, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(umbra, "alice")
    well = umbra("doctor", "--json")
    bad = {one["name"]: one["exit_code"] for one in json.loads(well.stdout) if not one["is_well"]}
    assert (FAST_ONLY[environment["UMBRA_DATABASE_URL"][:6]], well.exit_code) == (bad, min(bad.values(), default=0))
    monkeypatch.setenv("UMBRA_TRUSTED_PROXIES", "0.0.0.0/0")
    assert EXIT_CODES["proxies"] == max(one["exit_code"] for one in json.loads(umbra("doctor", "--json").stdout))
    monkeypatch.setenv("UMBRA_ENCRYPTION_KEYS", new_key().reveal())
    sick = umbra("doctor")
    assert (min([*bad.values(), EXIT_CODES["keys"]]), True) == (sick.exit_code, "BAD  keys:" in sick.stdout)
    umbra("db", "downgrade", "base")
    assert EXIT_CODES["schema"] == umbra("doctor").exit_code


def test_clean_up_counts_what_it_deleted(umbra: Umbra) -> None:
    ours = ("mails", "browsers", "links", "removed_authenticators", "email_proofs")
    kinds = ("used_codes", "challenges", "setups", "sessions", "attempts", *ours)
    assert dict.fromkeys(kinds, 0) == json.loads(umbra("cleanup", "--json").stdout)


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[PostOffice]:
    """A mail server, and the settings that name it."""
    made = PostOffice(free_port())
    monkeypatch.setenv("UMBRA_SMTP_URL", made.url)
    monkeypatch.setenv("UMBRA_MAIL_FROM", "umbra@login.example")
    with made.is_open():
        yield made


def test_the_guess_budget_says_what_is_likely_and_how_that_comes_about(
    own: tuple[Umbra, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    umbra, _ = own
    told = umbra("guess-budget").stdout
    for part in ("at most 0.9998 %", "within the 1 % of UMBRA_GUESS_PROBABILITY", "1,666 a year", "34 guesses a day"):
        assert part in told
    numbers = json.loads(umbra("guess-budget", "--json", "--authenticators", "3").stdout)
    assert (0.01, 555, 4998) == tuple(
        numbers[name] for name in ("probability", "guesses_per_budget_and_year", "comparisons_per_budget_and_year")
    )
    assert numbers["chance_per_year"] <= numbers["probability"]
    monkeypatch.setenv("UMBRA_GUESS_PROBABILITY", "0.5")
    refused = umbra("guess-budget")
    assert (1, True) == (refused.exit_code, "UMBRA_GUESS_PROBABILITY" in refused.stderr)


def test_a_test_mail_says_whether_the_mail_server_takes_mail(umbra: Umbra, office: PostOffice) -> None:
    assert 0 == umbra("mail", "test", "alice@example.com").exit_code
    assert (["alice@example.com"], ["Umbra: A test"]) == (office.recipients(), office.subjects())
    office.answers["RCPT"] = "550 5.7.1 go away"
    refused = umbra("mail", "test", "alice@example.com")
    assert (1, True) == (refused.exit_code, "(SMTPRecipientsRefused 550)" in refused.output)
    assert 1 == umbra("mail", "test", "nowhere").exit_code


def test_without_a_mail_server_the_commands_say_so_and_the_doctor_is_content(umbra: Umbra) -> None:
    add(umbra, "alice", "--email", "alice@example.com")
    refused = umbra("mail", "test", "alice@example.com")
    assert (1, True) == (refused.exit_code, "UMBRA_SMTP_URL" in refused.output)
    assert [] == json.loads(umbra("mail", "list", "--json").stdout)
    well = umbra("doctor")
    assert (True, False) == ("no mail server" in well.stdout, "BAD  mail" in well.stdout)


def test_an_operators_reset_is_told_by_mail_which_the_queue_shows(umbra: Umbra, office: PostOffice) -> None:
    add(umbra, "alice", "--email", "alice@example.com")
    assert 0 == umbra("users", "reset-mfa", "alice", "--yes").exit_code
    (queued,) = json.loads(umbra("mail", "list", "--json").stdout)
    expected = {"kind": "second_factor_reset", "recipient": "alice@example.com", "state": "waiting", "attempts": 0}
    assert expected.items() <= queued.items()
    assert "second_factor_reset" in umbra("mail", "list").stdout


def test_the_doctor_knocks_at_the_mail_server_and_looks_at_the_queue(
    umbra: Umbra, office: PostOffice, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    def mail() -> tuple[bool, str]:
        (found,) = [one for one in json.loads(umbra("doctor", "--json").stdout) if one["name"] == "mail"]
        return found["is_well"], found["detail"]

    add(umbra, "alice", "--email", "alice@example.com")
    umbra("users", "reset-mfa", "alice", "--yes")
    assert (True, "the server answers; 1 waiting, 0 given up") == mail()
    monkeypatch.setenv("UMBRA_SMTP_URL", f"smtp://127.0.0.1:{free_port()}")
    assert (False, "the server cannot be used (ConnectionRefusedError); 1 waiting, 0 given up") == mail()
    monkeypatch.setenv("UMBRA_SMTP_URL", office.url)
    engine = create_engine(environment["UMBRA_DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"))
    if engine.dialect.name == "sqlite":
        with engine.begin() as connection:
            connection.execute(text("UPDATE mail_outbox SET created_at = '2026-01-01 00:00:00.000000'"))
        assert (False, "the server answers; 1 waiting for more than an hour, 0 given up") == mail()
    engine.dispose()


def test_every_command_has_help() -> None:
    def walk(command: click.Command, path: list[str]) -> None:
        result = click.testing.CliRunner().invoke(main, [*path, "--help"])
        assert 0 == result.exit_code
        assert command.help
        if isinstance(command, click.Group):
            for name, sub in command.commands.items():
                walk(sub, [*path, name])

    walk(main, [])
    assert f"umbra, version {__version__}\n" == click.testing.CliRunner().invoke(main, ["--version"]).output


# An installation that makes its own keys and its own file


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Umbra, Path]:
    data = tmp_path / "data"
    monkeypatch.setenv("UMBRA_DATA_DIR", str(data))

    def run(*arguments: str, **more: str) -> Result:
        return click.testing.CliRunner().invoke(main, arguments, **more)  # type: ignore[arg-type]

    return run, data


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_data_directory_and_its_files_are_private(own: tuple[Umbra, Path]) -> None:
    umbra, data = own
    add(umbra, "alice")
    assert (0o700, 0o600, 0o600) == (mode(data), mode(data / "umbra.db"), mode(data / "encryption-keys"))
    (data / "umbra.db").chmod(0o644)
    data.chmod(0o755)
    umbra("users", "list")
    assert (0o700, 0o600) == (mode(data), mode(data / "umbra.db"))


def test_a_folder_in_other_use_is_left_alone(own: tuple[Umbra, Path]) -> None:
    umbra, data = own
    data.mkdir()
    data.chmod(0o755)
    (data / "somebody-elses").touch()
    result = umbra("users", "list")
    assert (1, 0o755) == (result.exit_code, mode(data))
    assert "UMBRA_DATA_DIR" in result.stderr


def test_a_new_key_is_put_first_in_the_generated_file(own: tuple[Umbra, Path]) -> None:
    umbra, data = own
    add(umbra, "alice")
    (old,) = (data / "encryption-keys").read_text().split()
    printed = umbra("keys", "new")
    new, second = (data / "encryption-keys").read_text().split()
    assert old == second != new
    assert new not in printed.output
    assert 0o600 == mode(data / "encryption-keys")
    assert 0 == umbra("keys", "rotate").exit_code
    (data / "encryption-keys").write_text(new + "\n")
    assert 0 == umbra("keys", "status").exit_code


def test_a_key_for_an_application_is_printed_and_nothing_is_changed(own: tuple[Umbra, Path]) -> None:
    umbra, data = own
    one, other = (umbra("keys", "new", "--print").stdout.strip() for _ in range(2))
    assert one != other
    Keyring.of(one, other)
    assert not data.exists()


def test_a_second_server_on_a_port_leaves_the_first_ones_address_good(own: tuple[Umbra, Path]) -> None:
    umbra, data = own
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = umbra("serve", "--port", str(taken.getsockname()[1]))
    assert (1, True) == (result.exit_code, "cannot listen" in result.stderr)
    engine = create_engine(f"sqlite:///{data / 'umbra.db'}")
    with engine.begin() as connection:
        names = connection.execute(text("SELECT name FROM server_state")).scalars().all()
    engine.dispose()
    assert ["canary", "database_name"] == names


def test_a_server_that_does_not_start_leaves_garbage_looked_for(own: tuple[Umbra, Path]) -> None:
    umbra, _ = own
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert 1 == umbra("serve", "--port", str(taken.getsockname()[1])).exit_code
    assert gc.isenabled()


def test_a_lost_key_file_is_not_replaced_by_a_new_key(own: tuple[Umbra, Path]) -> None:
    umbra, data = own
    add(umbra, "alice")
    (data / "encryption-keys").unlink()
    result = umbra("users", "list")
    assert 1 == result.exit_code
    assert "UMBRA_ENCRYPTION_KEYS" in result.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UMBRA_PUBLIC_URL", "http://id.example"),
        ("UMBRA_PUBLIC_URL", "ftp://127.0.0.1"),
        ("UMBRA_PUBLIC_URL", "https://id.example/path"),
        ("UMBRA_PUBLIC_URL", "http://127.0.0.1:99999"),
        ("UMBRA_PUBLIC_URL", "https://id ex.example"),
        ("UMBRA_PASSWORD_MIN_LENGTH", "7"),
        ("UMBRA_SESSION_IDLE", "0"),
        ("UMBRA_SESSION_LIFETIME", "hunter2"),
        ("UMBRA_SESSION_LIFETIME", "99999999999999999"),
        ("UMBRA_ISSUER", "A:B"),
        ("UMBRA_REGISTRATION", "maybe"),
        ("UMBRA_ARGON2_PROFILE", "cheap"),
        ("UMBRA_TRUSTED_PROXIES", "everybody"),
        ("UMBRA_DATABASE_URL", "mysql://root:hunter2@localhost/umbra"),
        ("UMBRA_DATABASE_URL", "nonsense"),
    ],
)
def test_a_setting_that_is_not_of_its_form_stops_everything_and_is_named(
    own: tuple[Umbra, Path], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    umbra, _ = own
    monkeypatch.setenv(name, value)
    for command in (("users", "list"), ("serve",)):
        result = umbra(*command)
        assert 1 == result.exit_code, result.output
        assert name in result.stderr
        assert "hunter2" not in result.output


def test_postgresql_needs_keys_that_are_given(own: tuple[Umbra, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    umbra, _ = own
    monkeypatch.setenv("UMBRA_DATABASE_URL", "postgresql://umbra@127.0.0.1:1/nothing")
    result = umbra("users", "list")
    assert (1, True) == (result.exit_code, "UMBRA_ENCRYPTION_KEYS" in result.stderr)


def test_a_database_that_is_not_there_is_told_without_its_password(
    own: tuple[Umbra, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    umbra, _ = own
    monkeypatch.setenv("UMBRA_DATABASE_URL", "postgresql://umbra:hunter2@127.0.0.1:1/nothing")
    monkeypatch.setenv("UMBRA_ENCRYPTION_KEYS", new_key().reveal())
    for command in (("users", "list"), ("db", "check"), ("serve",)):
        result = umbra(*command)
        assert 1 == result.exit_code
        assert "the database cannot be reached" in result.stderr
        assert "hunter2" not in result.output


def test_a_secret_that_was_lost_shows_in_the_status(own: tuple[Umbra, Path]) -> None:
    umbra, data = own
    add(umbra, "alice")
    engine = create_engine(f"sqlite:///{data / 'umbra.db'}")
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO totp_authenticators (user_id, name, secret, created_at) VALUES (1, 'x', 'lost', 0)")
        )
    engine.dispose()
    result = umbra("keys", "status", "--json")
    assert (1, 1) == (result.exit_code, json.loads(result.stdout)["unreadable"])
    assert 1 == umbra("keys", "rotate").exit_code


def test_a_server_refuses_a_restored_database_until_it_was_made_safe(
    umbra: Umbra, environment: dict[str, str], tmp_path: Path
) -> None:
    """
    A port that is taken ends the start, behind everything that is looked at before.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        serve = ("serve", "--port", str(taken.getsockname()[1]))
        assert "cannot listen" in umbra(*serve).stderr
        mark = tmp_path / "data" / "database-mark"
        mark.write_text(json.dumps(json.loads(mark.read_text()) | {"number": 1000, "digest": "seen"}))

        refused = umbra(*serve)
        assert 1 == refused.exit_code
        assert "umbra after-restore" in refused.stderr
        assert str(mark) in refused.stderr
        (told,) = [one for one in json.loads(umbra("doctor", "--json").stdout) if one["name"] == "restore"]
        assert (EXIT_CODES["restore"], True) == (told["exit_code"], str(mark) in told["detail"])
        assert 0 == umbra("users", "list").exit_code  # whoever looks after it can look

        assert 1 == umbra("after-restore", input="n\n").exit_code
        assert "umbra after-restore" in umbra(*serve).stderr
        safe = umbra("after-restore", "--yes", "--json")
        assert {"authenticators", "setups", "challenges", "sessions", "backup_codes", "mails"} == set(
            json.loads(safe.stdout)
        )
        assert "cannot listen" in umbra(*serve).stderr
        assert ["0 sessions"] == [
            line.strip() for line in umbra("after-restore", "--yes").stdout.splitlines() if "sessions" in line
        ]


def test_a_changed_audit_log_is_told_with_an_exit_code_of_its_own(umbra: Umbra, environment: dict[str, str]) -> None:
    for name in ("alice", "bob", "carol"):
        add(umbra, name)
    intact = umbra("audit", "verify", "--json")
    assert (0, True, 3, None) == (
        intact.exit_code, *(json.loads(intact.stdout)[name] for name in ("intact", "events", "broken")),
    )  # fmt: skip
    assert umbra("audit", "verify").stdout.startswith("3 events are as they were sealed, until 3 ")

    lines = [json.loads(line) for line in umbra("audit", "export").stdout.splitlines()]
    assert [1, 2, 3] == [line["seq"] for line in lines]
    assert json.loads(intact.stdout)["digest"] == lines[-1]["digest"]
    assert {
        "id",
        "at",
        "event",
        "reason",
        "user_id",
        "ip",
        "user_agent",
        "detail",
        "seq",
        "subject",
        "digest",
        "seal",
    } == (lines[0].keys())
    assert "" == umbra("audit", "export", "--since", "2100-01-01").stdout
    refused = umbra("audit", "export", "--since", "soon")
    assert (1, True) == (refused.exit_code, "since must be a moment" in refused.stderr)

    engine = create_engine(environment["UMBRA_DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE audit_events SET user_agent = 'nobody' WHERE seq = 2"))
    engine.dispose()
    changed = umbra("audit", "verify", "--json")
    assert 4 == changed.exit_code
    broken = json.loads(changed.stdout)["broken"]
    assert (2, lines[1]["id"], "altered") == (broken["seq"], broken["id"], broken["fault"])
    assert f"BAD  at 2 (event {lines[1]['id']}): altered" in umbra("audit", "verify").stdout
    assert "has been changed" in umbra("audit", "prune", "--before", "2100-01-01", "--yes").stderr


def test_old_events_are_pruned_when_that_is_meant(umbra: Umbra) -> None:
    for name in ("alice", "bob", "carol"):
        add(umbra, name)
    assert 1 == umbra("audit", "prune", "--before", "2100-01-01", input="n\n").exit_code
    assert "0 events are deleted." in umbra("audit", "prune", "--before", "2020-01-01", "--yes").stdout
    assert {"events": 2} == json.loads(umbra("audit", "prune", "--before", "2100-01-01", "--yes", "--json").stdout)
    verified = umbra("audit", "verify", "--json")  # the last, and that which tells of it
    assert (0, 2) == (verified.exit_code, json.loads(verified.stdout)["events"])
    assert "1 event is deleted.\n" == umbra("audit", "prune", "--before", "2100-01-01", "--yes").stdout


def test_a_log_that_is_shorter_than_a_server_has_seen_it_is_told(umbra: Umbra, tmp_path: Path) -> None:
    add(umbra, "alice")
    assert umbra("audit", "verify").stdout.startswith("1 event is as it was sealed, until 1 ")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        umbra("serve", "--port", str(taken.getsockname()[1]))
    mark = tmp_path / "data" / "database-mark"
    ((name, kept),) = json.loads(mark.read_text()).items()
    mark.write_text(json.dumps({name: kept | {"number": 1000}}))
    cut = umbra("audit", "verify")
    assert (4, True) == (cut.exit_code, "BAD  at 2: cut" in cut.stdout)
