"""What may be used once is used up by one statement, and nobody else writes where it is kept."""

import ast
import shutil
from pathlib import Path

import pytest

import umbra
from support.spends import ANY, GENERIC, ONCE, files, unreadable, writes

SOURCE = Path(umbra.__file__).parent

PLANTED = {
    "an update elsewhere": (
        "signin/store.py",
        "async def sneak(tx, now):\n    await tx.execute(update(BACKUP_CODES).values(used_at=now))\n",
    ),
    "an update by values that nobody sees": (
        "upkeep.py",
        "async def sneak(tx, **values):\n    await tx.execute(update(BACKUP_CODES).values(**values))\n",
    ),
    "a deletion beside the one": (
        "challenge/store.py",
        "async def sneak(tx):\n    await tx.execute(delete(CHALLENGES))\n",
    ),
    "an insertion into the ledger": (
        "totp/flows.py",
        "async def sneak(tx):\n    await tx.execute(insert_given(USED_CODES, true(), code='code'))\n",
    ),
    "a clean-up of what still counts": (
        "upkeep.py",
        "async def sneak(tx):\n    await delete_some(tx, USED_CODES.c.id, true(), 10)\n",
    ),
    "a count set when it is there already": (
        "attempts/store.py",
        "SNEAK = insert(ATTEMPTS).values(budget='x').on_conflict_do_update(set_={'failures': 0})\n",
    ),
}

HIDDEN = {
    "SQL as text": "SNEAK = 'UPDATE backup_codes SET used_at = NULL'\n",
    "a statement that a table makes": "SNEAK = BACKUP_CODES.update().values(used_at=None)\n",
    "a column set on an object": "def sneak(row):\n    row.used_at = None\n",
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SOURCE, tmp_path / "umbra", ignore=shutil.ignore_patterns("*.mo", "static")))


def faults(source: Path) -> set[tuple[str, str]]:
    """Return who writes where something is kept that is used once, and is not named in the list."""
    named = {thing: {once.spent_by, *once.besides} for thing, once in ONCE.items()}
    found = writes(source)
    return {
        (thing, write.home)
        for thing, once in ONCE.items()
        for write in found
        if write.touches(once) and write.home not in named[thing]
    }


def test_what_is_used_once_is_written_by_those_alone_who_are_named() -> None:
    assert set() == faults(SOURCE)
    assert [] == unreadable(SOURCE)


def test_whoever_is_named_does_write_it() -> None:
    all_of_them = writes(SOURCE)
    for thing, once in ONCE.items():
        found = {write.home for write in all_of_them if write.touches(once)}
        assert found == {once.spent_by, *once.besides}, thing


def test_whoever_uses_it_up_returns_the_row_as_the_verdict() -> None:
    spenders = {once.spent_by for once in ONCE.values()}
    verdicts = {write.home: write.is_verdict for write in writes(SOURCE) if write.home in spenders}
    assert dict.fromkeys(spenders, True) == verdicts


def test_every_statement_that_writes_names_its_table() -> None:
    assert {write.table for write in writes(SOURCE) if not write.table.isupper()} == set()
    assert (SOURCE / GENERIC).exists()


def test_whoever_switches_a_second_factor_on_outdates_what_sign_ins_have_found() -> None:
    homes = (ONCE["a set-up"].spent_by, *ONCE["a set-up"].besides)
    switches = {home.replace("/store.py ", ".") for home in homes}
    found = {
        f"{path.relative_to(SOURCE)} {function.name}": "passwords.outdate_checks" in named
        for path in files(SOURCE)
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and switches & (named := _named(function))
    }
    doors = ("imports/flows.py _put", "signin/mailed.py _bring_back", "signin/secondfactor.py confirm")
    assert dict.fromkeys(doors, True) == found


def _named(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Return what a function calls, or passes on, of a store; a store's own names stand for it as well."""
    nodes = list(ast.walk(function))
    bare = {node.id for node in nodes if isinstance(node, ast.Name)}
    return {ast.unparse(node) for node in nodes if isinstance(node, ast.Attribute)} | {f"totp.{name}" for name in bare}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_statement_planted_elsewhere_is_found(copy: Path, planted: str) -> None:
    file, text = PLANTED[planted]
    with (copy / file).open("a") as source:
        source.write(text)
    assert faults(copy)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_what_the_reader_could_not_see_is_refused(copy: Path, hidden: str) -> None:
    with (copy / "upkeep.py").open("a") as source:
        source.write(HIDDEN[hidden])
    assert unreadable(copy)


def test_values_that_nobody_sees_count_as_all() -> None:
    assert any(ANY in write.columns for write in writes(SOURCE))
