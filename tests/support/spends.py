"""What may be used once, and the statements that use it up: the list, and a reader of the source that finds them all.

The primitive is a conditional statement that returns the row it has changed: a row is the permission, none is a
refusal. There is one for each thing, and whatever else writes the same columns is named here with its reason.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROW = "the row itself"
"""Written by an INSERT or a DELETE."""

ANY = "any column"
"""What is written is not to be seen in the source."""


@dataclass(frozen=True)
class Once:
    """A thing that is used once: where it is kept, the one statement that uses it up, and who else writes there."""

    table: str
    column: str
    spent_by: str
    besides: tuple[str, ...] = ()


ONCE = {
    "a TOTP step": Once(
        "AUTHENTICATORS",
        "last_step",
        "totp/store.py moved",
        (
            "totp/store.py put_imported",  # a new row, with what another application had accepted
            "removals/store.py restore",  # the same, with what had been accepted before
            "totp/store.py move_every",  # forward, behind whatever can have been accepted
        ),
    ),
    "the digits of a code": Once(
        "USED_CODES",
        ROW,
        "totp/store.py recorded",
        ("totp/store.py put_used", "totp/store.py delete_old_usage"),  # the same from elsewhere; past every rule
    ),
    "a set-up": Once(
        "AUTHENTICATORS",
        "confirmed_at",
        "totp/store.py switch_on",
        ("totp/store.py put_imported", "removals/store.py restore"),
    ),
    "a backup code": Once(
        "BACKUP_CODES",
        "used_at",
        "backup_codes/store.py spend",
        ("backup_codes/store.py put_imported", "backup_codes/store.py replace_all"),  # new rows only
    ),
    "a challenge": Once(
        "CHALLENGES",
        ROW,
        "challenge/store.py spent",
        (
            "challenge/store.py opened",
            "challenge/store.py oldest_ended",
            "challenge/store.py end_all",
            "challenge/store.py end_every",
            "challenge/store.py delete_expired",
        ),
    ),
    "a guess at a challenge": Once(
        "CHALLENGES",
        "guesses",
        "challenge/store.py charged",
        ("challenge/store.py opened", "challenge/store.py hand_back"),
    ),
    "a guess at an account": Once(
        "ATTEMPTS",
        "failures",
        "attempts/store.py charged",
        ("attempts/store.py forgiven", "attempts/store.py hand_back", "attempts/store.py lift_locks"),
    ),
    "a session's token": Once("SESSIONS", "token_hash", "sessions/store.py renewed", ("sessions/store.py created",)),
    "the first-run link": Once("STATE", ROW, "db/state.py take", ("db/state.py put", "db/state.py put_first")),
    "a place in the chain of the audit log": Once(
        "AUDIT",
        "seq",
        "audit/store.py _PUT_SEALS",
        ("audit/store.py kept", "audit/store.py signalled", "audit/store.py keep_for"),  # new rows, without one
    ),
    "a mailed code": Once("EMAIL_PROOFS", "proved_at", "email_proofs/store.py spend", ("email_proofs/store.py begin",)),
    "a guess at a mailed code": Once(
        "EMAIL_PROOFS", "guesses", "email_proofs/store.py charge", ("email_proofs/store.py begin",)
    ),
    "the end of the chain": Once(
        "STATE",
        "value",
        "db/state.py _SWAP",
        ("db/state.py put", "db/state.py put_first"),  # other facts; and where the chain begins
    ),
    "a mail that waits": Once(
        "OUTBOX",
        "next_attempt_at",
        "mail/store.py _CLAIM",
        (
            "mail/store.py queued",
            "mail/store.py queue_for",
            "mail/store.py _settle",
            "mail/store.py give_up_every",  # to never
        ),
    ),
    "what was removed": Once(
        "REMOVED",
        ROW,
        "removals/store.py take",
        ("removals/store.py keep", "removals/store.py forget", "removals/store.py delete_old"),
    ),
    "a link in a mail": Once("LINKS", "used_at", "links/store.py _SPEND"),
}
"""Everything that may be used once. A new thing gets a line here, and a race test with a guard in the sabotage."""

BUILDERS = {"insert": 0, "update": 0, "delete": 0, "insert_given": 0, "delete_some": 1}
"""What makes a statement that writes, and which of its arguments says where."""

GENERIC = "db/statements.py"
"""Where a statement is made for any table: whoever calls it names the table."""

SQL = re.compile(r"\s*(INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|REPLACE\s+INTO|MERGE\s+INTO)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Write:
    """A statement that writes: by whom, into which table and columns, and whether its verdict is the row it returns."""

    home: str
    table: str
    columns: frozenset[str]
    is_verdict: bool

    def touches(self, once: Once) -> bool:
        """Say whether it writes where a thing that is used once is kept."""
        return self.table == once.table and bool(self.columns & {once.column, ANY})


def files(source: Path) -> Iterator[Path]:
    """Yield what the server runs; migrations are history."""
    yield from (path for path in sorted(source.rglob("*.py")) if "migrations" not in path.parts)


def writes(source: Path) -> list[Write]:
    """Return every statement that writes."""
    return [write for path in files(source) for write in _writes(path.read_text(), str(path.relative_to(source)))]


def unreadable(source: Path) -> list[str]:
    """Return what a reader could miss: SQL as text, statements that a table makes itself, columns set on an object."""
    return [f"{path.relative_to(source)}:{line}" for path in files(source) for line in _unreadable(path.read_text())]


@cache
def _unreadable(text: str) -> list[int]:
    columns = {once.column for once in ONCE.values()}
    return [
        getattr(node, "lineno", 0)
        for node in ast.walk(ast.parse(text))
        if _is_sql(node) or _is_of_a_table(node) or _is_set(node, columns)
    ]


@cache
def _writes(text: str, name: str) -> list[Write]:
    return list(_found(text, name))


def _found(text: str, name: str) -> Iterator[Write]:
    if name == GENERIC or not any(f"{built}(" in text for built in BUILDERS):
        return
    for top in ast.parse(text).body:
        parents = {child: node for node in ast.walk(top) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(top):
            if isinstance(node, ast.Call) and (built := _built(node)):
                chained = list(_chained(node, parents))
                methods = {call.func.attr for call in chained if isinstance(call.func, ast.Attribute)}
                table = ast.unparse(node.args[BUILDERS[built]]).partition(".")[0]
                columns = frozenset(_columns(built, node, chained))
                yield Write(f"{name} {_name_of(top)}", table, columns, "returning" in methods)


def _built(call: ast.Call) -> str:
    """Return which builder is called; ``x.update(…)`` is a dictionary's, or a table's, which is refused.

    What is given a transaction first is a function of ours, unless it is the one that deletes some rows of any table.
    """
    built = call.func.id if isinstance(call.func, ast.Name) and call.func.id in BUILDERS else ""
    return "" if built != "delete_some" and call.args and ast.unparse(call.args[0]) == "tx" else built


def _name_of(top: ast.stmt) -> str:
    match top:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return "the module"


def _chained(call: ast.Call, parents: dict[ast.AST, ast.AST]) -> Iterator[ast.Call]:
    """Yield the calls that are made on a statement: ``update(…).where(…).values(…)``."""
    node: ast.AST = call
    while isinstance(outer := parents.get(node), ast.Attribute) and isinstance(made := parents.get(outer), ast.Call):
        yield made
        node = made


def _columns(built: str, call: ast.Call, chained: list[ast.Call]) -> Iterator[str]:
    if built != "update":
        yield ROW
    if built == "insert_given":
        yield from (keyword.arg or ANY for keyword in call.keywords)
    for one in chained:
        if isinstance(one.func, ast.Attribute) and one.func.attr in {"values", "from_select", "on_conflict_do_update"}:
            yield from _named(one)


def _named(call: ast.Call) -> Iterator[str]:
    if isinstance(call.func, ast.Attribute) and call.func.attr == "on_conflict_do_update":
        given = [keyword.value for keyword in call.keywords if keyword.arg == "set_"]
    else:
        given = list(call.args)
        yield from (keyword.arg or ANY for keyword in call.keywords)
    for one in given:
        if isinstance(one, ast.Dict):
            yield from (key.value if _is_text(key) else ANY for key in one.keys)  # type: ignore[union-attr]
        else:
            yield ANY


def _is_text(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_sql(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(SQL.match(node.value))


def _is_of_a_table(node: ast.AST) -> bool:
    """Say whether this is ``TABLE.update()`` or the like, which none of the builders makes."""
    verbs = {"insert", "update", "delete"}
    is_called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in verbs
    if not is_called:
        return False
    made_by = ast.unparse(node.func.value)  # type: ignore[attr-defined]
    return made_by.isupper() or "table" in made_by.lower()


def _is_set(node: ast.AST, columns: set[str]) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
    return any(isinstance(target, ast.Attribute) and target.attr in columns for target in targets)
