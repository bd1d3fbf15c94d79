"""The house rules that a program can check."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from umbra.core.errors import Refused
from umbra.web import problems

ROOT = Path(__file__).parent.parent.parent
SOURCE = ROOT / "src" / "umbra"
FILES = sorted(SOURCE.rglob("*.py"))


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the dotted name of every call in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)


def places(names: set[str], *, by_end: bool = False) -> set[str]:
    """Return the files that call something of one of ``names``."""
    return {
        str(path.relative_to(SOURCE))
        for path in FILES
        for _, name in calls(path)
        if (name.rpartition(".")[2] if by_end else name) in names
    }


def imports(path: Path) -> set[str]:
    """Return the top-level names of the packages that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_imports_point_down() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stdout + done.stderr


def test_nothing_commits_or_rolls_back_outside_the_database_package() -> None:
    assert set() == places({"commit", "rollback"}, by_end=True)
    words = {
        str(path.relative_to(SOURCE))
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in {"COMMIT", "ROLLBACK", "ROLLBACK TO one", "RELEASE one"}
    }
    assert {"db/postgres.py", "db/sqlite.py"} == words


def test_transactions_that_write_are_opened_by_use_cases_only() -> None:
    allowed = {"upkeep.py", "audit/store.py", "mail/flows.py", "db/postgres.py", "db/sqlite.py", "signin/account.py",
               "signin/addresses.py", "signin/flows.py", "signin/guesses.py", "signin/mailed.py", "signin/operating.py",
               "signin/passwords.py", "signin/secondfactor.py", "sessions/flows.py", "totp/flows.py",
               "imports/flows.py", "restore.py", "audit/flows.py"}  # fmt: skip
    assert places({"begin"}, by_end=True) <= allowed


def test_only_who_charges_a_guess_does_not_wait_for_the_disk() -> None:
    blocks = [
        (str(path.relative_to(SOURCE)), node.body)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AsyncWith) and "unflushed" in ast.unparse(node.items[0])
    ]
    for path, body in blocks:
        (only,) = body
        called = {ast.unparse(node.func) for node in ast.walk(only) if isinstance(node, ast.Call)}
        assert called & {"attempts.charge", "store.charge_code", "store.charge_password"}, path
        assert isinstance(only, ast.Assign | ast.Expr), path
        assert isinstance(only.value, ast.Await), path
    assert {"signin/guesses.py", "signin/mailed.py", "signin/passwords.py"} == {path for path, _ in blocks}
    assert {path.partition(":")[0] for path in places({"unflushed"}, by_end=True)} == {path for path, _ in blocks}


def test_the_clock_and_randomness_are_asked_in_one_place_each() -> None:
    banned = {"datetime.now", "datetime.utcnow", "datetime.datetime.now", "time.time", "date.today"}
    assert {"core/clock.py"} == places(banned)
    assert {"crypto/argon.py"} == places({"time.monotonic"})  # how long a thread rests, which decides nothing
    random = {str(path.relative_to(SOURCE)) for path in FILES if imports(path) & {"secrets", "random", "uuid"}}
    assert {"core/entropy.py"} == random
    assert set() == places({"os.urandom"})


def test_sql_is_written_in_stores_tables_and_the_database_package_only() -> None:
    users = {path for path in FILES if "sqlalchemy" in imports(path)}
    outside = {
        str(path.relative_to(SOURCE))
        for path in users
        if path.name not in {"store.py", "tables.py"} and "db" not in path.relative_to(SOURCE).parts
    }
    typed_only = {"embedded.py", "signin/flows.py", "signin/guesses.py", "signin/passwords.py",
                  "signin/secondfactor.py", "totp/flows.py", "upkeep.py"}  # fmt: skip  # they name, and run nothing
    assert outside <= typed_only
    assert set() == places({"execute", "follow", "exec_driver_sql", "scalar", "scalars"}, by_end=True) & outside


def test_faces_know_no_database_and_use_cases_know_no_http() -> None:
    faces = {path for path in FILES if path.relative_to(SOURCE).parts[0] in {"api", "pages", "web", "cli"}}
    assert not [path for path in faces if "sqlalchemy" in imports(path)]
    http = {path for path in FILES if imports(path) & {"fastapi", "starlette", "uvicorn", "jinja2"}}
    mail = {SOURCE / "mail" / "message.py"}  # its templates are of the same kind as the pages'
    assert http - faces - mail == {SOURCE / "app.py", SOURCE / "embedded.py", SOURCE / "testing.py"}


@pytest.mark.parametrize(
    ("name", "homes"),
    [
        ("store.spend_step", {"signin/guesses.py"}),
        ("store.spend_challenge", {"signin/guesses.py"}),
        ("backup_codes.spend", {"signin/guesses.py"}),
        ("store.charge", {"signin/guesses.py"}),
        ("store.charge_code", {"signin/guesses.py"}),
        ("attempts.charge", {"signin/store.py", "signin/addresses.py", "signin/mailed.py"}),
        ("email_proofs.charge", {"signin/addresses.py"}),
        ("email_proofs.spend", {"signin/addresses.py"}),
        ("store.charge_password", {"signin/passwords.py"}),
        ("store.accept_password", {"signin/passwords.py"}),
        ("store.begin_without_code", {"signin/flows.py"}),
        ("store.open_challenge", {"signin/flows.py"}),
        ("sessions.create", {"signin/guesses.py"}),
        ("store.claim", {"mail/flows.py"}),
        ("links.spend", {"signin/mailed.py"}),
        ("removals.take", {"signin/mailed.py"}),
        ("state.swap", {"audit/flows.py", "upkeep.py"}),
        ("store.put_seals", {"audit/flows.py"}),
        ("totp.move_every", {"restore.py"}),
    ],
)
def test_what_happens_once_is_done_by_one_function_called_from_one_place(name: str, homes: set[str]) -> None:
    assert homes == places({name})


def test_the_links_of_what_happens_once_are_chained_in_one_place() -> None:
    links = {"totp.moved", "totp.recorded", "challenges.held_open", "challenges.charged", "challenges.spent",
             "challenges.opened", "passwords.held_unchanged", "attempts.charged", "attempts.forgiven",
             "sessions.created", "sessions.renewed", "browsers.met", "mail.queued"}  # fmt: skip
    named = {
        (str(path.relative_to(SOURCE)), name)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and (name := ast.unparse(node)) in links
    }
    assert {("signin/store.py", link) for link in links} == named


def every(kind: type[Refused]) -> Iterator[type[Refused]]:
    for sub in kind.__subclasses__():
        yield sub
        yield from every(sub)


def test_every_refusal_has_a_status_and_every_status_a_refusal() -> None:
    reasons = {refusal.reason for refusal in every(Refused)}
    assert reasons | {problems.INTERNAL} == problems.ANSWERS.keys()


def test_broad_excepts_are_only_where_they_are_declared() -> None:
    broad = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler) and ast.unparse(node.type or ast.Name("bare")) in {
            "bare", "Exception", "BaseException",
        }
    ]  # fmt: skip
    assert ["mail/flows.py", "web/middleware.py"] == sorted(place.partition(":")[0] for place in broad)


def test_no_lock_file_and_no_document_names_the_address_of_an_index() -> None:
    for path in [*ROOT.glob("requirements*.txt"), *ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "Makefile"]:
        assert "://py" + "pi" not in path.read_text()
        assert "--index-url http" not in path.read_text()


def test_the_version_is_in_the_changelog() -> None:
    from umbra import __version__  # noqa: PLC0415

    assert f"[{__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_help_loads_nothing_that_only_the_commands_themselves_want() -> None:
    unwanted = {"asyncio", "pydantic", "ssl", "sqlalchemy"}
    asked = f"import sys, umbra.cli.main; print(*{unwanted} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    assert "" == done.stdout.strip()


def test_the_server_does_not_load_the_orm_nor_what_only_some_of_its_settings_want() -> None:
    unwanted = {"alembic", "prometheus_client", "smtplib", "sqlalchemy.orm"}
    asked = f"import sys, umbra.app, umbra.db.postgres, umbra.db.sqlite; print(*{unwanted} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    assert "" == done.stdout.strip()
