"""The documents say what the code does; whoever changes one is told about the other."""

import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic.fields import FieldInfo

from umbra.cli.main import main
from umbra.core.events import Event
from umbra.db import migrate
from umbra.doctor import EXIT_CODES
from umbra.settings import Settings
from umbra.totp import flows as totp_flows
from umbra.web.problems import ANSWERS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])

DECISION_HEADINGS = ["Context", "Decision", "Consequences", "Alternatives", "Enforced by"]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_explained_with_its_default(name: str) -> None:
    default = rows_of("settings.md")[f"UMBRA_{name.upper()}"][0]

    assert spelled_default(Settings.model_fields[name]) in default


def test_no_setting_is_explained_that_does_not_exist() -> None:
    assert {f"UMBRA_{name.upper()}" for name in Settings.model_fields} == rows_of("settings.md").keys()


def test_every_refusal_is_explained_with_its_status_and_no_other() -> None:
    explained = {reason: cells[0] for reason, cells in rows_of("reasons.md").items()}

    assert {reason: str(int(status)) for reason, (status, _, _) in ANSWERS.items()} == explained


def test_every_event_is_explained_and_no_other() -> None:
    assert {str(event) for event in Event} == section_rows("events.md", "Events").keys()


def test_every_reason_that_an_event_may_have_is_explained_and_no_other() -> None:
    named = {name for cells in section_rows("events.md", "Events").values() for name in code_words(cells[0])}

    assert named == section_rows("events.md", "Reasons").keys()


def test_every_cause_in_the_code_is_explained() -> None:
    """
    Causes that only the audit log learns are literals in the code; each has its line.
    """
    literal = re.compile(r'(?:CodeRefused|CredentialsRefused)\("(\w+)"\)')
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))

    assert {*literal.findall(source), *totp_flows._TELLING} <= section_rows("events.md", "Reasons").keys()


def test_every_table_and_column_is_explained_and_no_other() -> None:
    explained = {name: list(rows) for name, rows in named_sections("tables.md").items()}

    assert {table.name: [column.name for column in table.columns] for table in migrate.metadata().sorted_tables} == (
        explained
    )


def test_every_finding_of_the_doctor_is_explained_with_its_exit_code_and_no_other() -> None:
    explained = {name: cells[0] for name, cells in rows_of("doctor.md").items()}

    assert {name: str(code) for name, code in EXIT_CODES.items()} == explained


def test_every_command_is_explained_with_its_options_and_arguments_and_no_other() -> None:
    explained = {name: set(rows) for name, rows in named_sections("cli.md").items()}

    assert dict(commands(main, "umbra")) == explained


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_every_decision_has_the_same_five_parts(path: Path) -> None:
    assert DECISION_HEADINGS == re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE)


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [f"{number:04}" for number in range(1, len(DECISIONS) + 1)] == [path.name[:4] for path in DECISIONS]


def test_every_runtime_dependency_has_its_reason_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[\[<>=; ]", requirement)[0] for requirement in project["dependencies"]}

    assert names == table_rows((DOCS / "decisions" / "0010-dependencies.md").read_text()).keys()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_documents_leads_somewhere(path: Path) -> None:
    assert [] == [link for link in links(path) if not is_there(path, link)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_that_a_document_names_exists(path: Path) -> None:
    named = re.findall(r"`(test_\w+)`", path.read_text())

    assert [] == [name for name in named if name not in names_of_tests()]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_make_target_and_path_that_a_document_names_exists(path: Path) -> None:
    text = path.read_text()
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert [] == [name for name in re.findall(r"`make ([a-z-]+)`", text) if name not in targets]
    assert [] == [name for name in re.findall(r"`((?:src|tests|docs)/[\w./-]+)`", text) if not (ROOT / name).exists()]


@cache
def names_of_tests() -> frozenset[str]:
    """Return every test's name, and its module's, which a document may name for all of them."""
    modules = list((ROOT / "tests").rglob("test_*.py"))
    names = re.findall(r"^(?:async )?def (test_\w+)", "\n".join(path.read_text() for path in modules), re.MULTILINE)
    return frozenset(names) | {path.stem for path in modules}


def spelled_default(field: FieldInfo) -> str:
    """Return how the document writes a default; what is ``None`` here is explained there in words."""
    if field.default_factory is not None:
        return "data directory"
    match field.default:
        case None | ():
            return ""
        case bool(value):
            return f"`{str(value).lower()}`"
        case timedelta() as value:
            return f"`{int(value.total_seconds())}`"
        case value:
            return f"`{value}`"


def rows_of(name: str) -> dict[str, list[str]]:
    """Return the rows of all tables of a page of the reference."""
    return table_rows((REFERENCE / name).read_text())


def section_rows(name: str, heading: str) -> dict[str, list[str]]:
    """Return the rows of the table in one section of a page of the reference."""
    return table_rows(dict(sections((REFERENCE / name).read_text()))[heading])


def named_sections(name: str) -> dict[str, dict[str, list[str]]]:
    """Return the rows of each section whose heading is code: what it is about."""
    headed = sections((REFERENCE / name).read_text())
    return {heading.strip("`"): table_rows(text) for heading, text in headed if heading.startswith("`")}


def sections(text: str) -> Iterator[tuple[str, str]]:
    """Yield each second-level heading with the text below it."""
    _, *parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    yield from zip(parts[::2], parts[1::2], strict=True)


def table_rows(text: str) -> dict[str, list[str]]:
    """Return the cells of each row, by the code in its first one; a name stands once."""
    rows: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("| `"):
            name, *cells = (cell.strip() for cell in line.strip("| ").split("|"))
            assert name.strip("`") not in rows, f"{name} stands twice"
            rows[name.strip("`")] = cells
    return rows


def code_words(cell: str) -> list[str]:
    """Return each piece of code in a cell."""
    return re.findall(r"`([^`]+)`", cell)


def commands(command: click.Command, name: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each command with the names of its options and arguments, as they are typed."""
    yield name, {as_typed(parameter) for parameter in command.params}
    if isinstance(command, click.Group):
        for part, below in command.commands.items():
            yield from commands(below, f"{name} {part}")


def as_typed(parameter: click.Parameter) -> str:
    return parameter.opts[0] if isinstance(parameter, click.Option) else (parameter.name or "").upper()


def links(path: Path) -> list[str]:
    """Return the targets of a document's links, without those that leave the project."""
    prose = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets: list[Any] = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def is_there(path: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(path: Path) -> set[str]:
    """Return what a heading is called in an address: lower case, hyphens, no punctuation."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
