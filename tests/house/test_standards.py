"""What the documents say of standards and attacks is shown by tests that run; those then pass, or the build fails."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STANDARDS = (ROOT / "docs" / "reference" / "standards.md").read_text()
THREATS = (ROOT / "docs" / "threat-model.md").read_text()

HEAD = "| Number | What it asks for | State | How | Shown by |"
STATES = ("met", "deviation", "not yet", "not ours")

NEVER_RUN = re.compile(r"pytest\.(mark\.)?(skip|xfail)\b|skipif\(True\b")


@dataclass(frozen=True)
class Row:
    """A requirement, and what the page says of it."""

    number: str
    asks: str
    state: str
    how: str
    tests: tuple[str, ...]


def test_every_requirement_of_the_standards_has_a_state_and_what_is_met_a_test() -> None:
    assert [] == [f"{row.number}: {problem}" for row in requirements(STANDARDS) for problem in problems_of(row)]


def test_no_row_is_overlooked() -> None:
    named = re.findall(r"`([^`\s]+::[^`]+)`", STANDARDS)
    assert named == [test for row in requirements(STANDARDS) for test in row.tests]


def test_no_requirement_stands_twice() -> None:
    numbers = [row.number for row in requirements(STANDARDS)]
    assert [] == [number for number in set(numbers) if numbers.count(number) > 1]


@pytest.mark.parametrize("source", ["RFC 4226", "RFC 6238", "Key URI", "63B", "ASVS", "OWASP", "6265bis", "RFC 9457"])
def test_every_source_has_its_rows(source: str) -> None:
    assert [row for row in requirements(STANDARDS) if row.number.startswith(f"{source} ")]


def test_every_deviation_has_its_reason_and_leads_to_where_it_is_written_down() -> None:
    listed = [cells for cells in tables(section(STANDARDS, "Deviations")) if cells[0] != "Number"]
    numbers = sorted(number for cells in listed for number in cells[0].split(", "))
    assert sorted(row.number for row in requirements(STANDARDS) if row.state == "deviation") == numbers
    assert [] == [
        cells[0] for cells in listed if not (cells[2] and re.search(r"\]\([\w./-]+\.md(#[\w-]+)?\)", cells[3]))
    ]


def test_every_attack_that_we_protect_against_names_a_test_that_runs() -> None:
    attacks = [cells for cells in tables(section(THREATS, "What we protect against")) if cells[0] != "Attack"]
    names = {test.partition("::")[2] for test in running()}
    assert attacks
    for attack, _, shown in attacks:
        named = re.findall(r"`(test_\w+)`", shown)
        assert named, f"nothing shows: {attack}"
        assert set() == set(named) - names, attack


GOOD = Row("X 1", "something", "met", "", ("tests/api/test_sign_in.py::test_a_code_signs_in_after_the_password",))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (GOOD, None),
        (Row("X 1", "something", "met", "it is", ()), "met, and no test shows it"),
        (Row("X 1", "something", "perhaps", "it is", GOOD.tests), "no state: perhaps"),
        (Row("X 1", "something", "not yet", "", ()), "not yet, and not why"),
        (Row("X 1", "", "met", "", GOOD.tests), "asks for nothing"),
        (
            Row("X 1", "something", "met", "", ("tests/api/test_sign_in.py::test_x",)),
            "does not run: tests/api/test_sign_in.py::test_x",
        ),
        (
            Row("X 1", "something", "not yet", "later", ("tests/nowhere.py::test_x",)),
            "does not run: tests/nowhere.py::test_x",
        ),
    ],
    ids=lambda value: value.state if isinstance(value, Row) else value,
)
def test_a_row_that_promises_too_much_is_found_out(row: Row, problem: str | None) -> None:
    assert ([] if problem is None else [problem]) == problems_of(row)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def test_x(): ...", ["test_x"]),
        ("async def test_x(): ...", ["test_x"]),
        ("@pytest.mark.skipif(sys.platform != 'linux', reason='')\ndef test_x(): ...", ["test_x"]),
        ("@pytest.mark.skip\ndef test_x(): ...", []),
        ("@pytest.mark.skip('later')\ndef test_x(): ...", []),
        ("@pytest.mark.skipif(True, reason='')\ndef test_x(): ...", []),
        ("@pytest.mark.xfail\ndef test_x(): ...", []),
        ("def test_x():\n    pytest.skip('later')", []),
        ("def test_x():\n    if slow:\n        pytest.skip('later')", ["test_x"]),
        ("pytestmark = [pytest.mark.skip]\ndef test_x(): ...", []),
        ("pytest.skip('', allow_module_level=True)\ndef test_x(): ...", []),
        ("def helper():\n    def test_x(): ...", []),
    ],
)
def test_a_test_that_never_runs_is_none(source: str, names: list[str]) -> None:
    assert names == list(names_in(ast.parse(source)))


def problems_of(row: Row) -> list[str]:
    """Return what is wrong with a row."""
    found = [f"does not run: {test}" for test in row.tests if test not in running()]
    if row.state not in STATES:
        found.append(f"no state: {row.state}")
    if row.state == "met" and not row.tests:
        found.append("met, and no test shows it")
    if row.state != "met" and not row.how:
        found.append(f"{row.state}, and not why")
    if not row.asks:
        found.append("asks for nothing")
    return found


def requirements(text: str) -> Iterator[Row]:
    """Yield the rows of every table of requirements; a level in brackets is no part of a number."""
    for part in text.split("\n\n"):
        if part.startswith(HEAD):
            for number, asks, state, how, tests in list(tables(part))[1:]:
                yield Row(re.sub(r" \[\d\]$", "", number), asks, state, how, tuple(re.findall(r"`([^`]+)`", tests)))


def section(text: str, heading: str) -> str:
    """Return what stands below a heading of the second level."""
    return re.split(r"^## ", text.partition(f"\n## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def tables(text: str) -> Iterator[list[str]]:
    """Yield the cells of each line of the tables in a text, without the lines below the heads."""
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            yield [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]


@cache
def running() -> frozenset[str]:
    """Return every test that pytest collects and does not skip whatever happens."""
    paths = (ROOT / "tests").rglob("test_*.py")
    return frozenset(
        f"{path.relative_to(ROOT)}::{name}" for path in paths for name in names_in(ast.parse(path.read_text()))
    )


def names_in(module: ast.Module) -> Iterator[str]:
    if any(NEVER_RUN.search(ast.unparse(one)) for one in module.body if isinstance(one, ast.Expr | ast.Assign)):
        return
    for one in module.body:
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name.startswith("test_"):
            calls = [*one.decorator_list, *(part for part in one.body if isinstance(part, ast.Expr))]
            if not any(NEVER_RUN.search(ast.unparse(call)) for call in calls):
                yield one.name
