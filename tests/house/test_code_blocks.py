"""Every block of code in the documents is proven, each language in its way; one that no rule proves fails here.

Pages whose blocks belong together are walked through from top to bottom (``test_walks``).
"""

import inspect
import json
import re
import shlex
import subprocess
import textwrap
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from fastapi import Request
from sqlalchemy.orm import Session

from support.blocks import ROOT, Block, every
from support.walks import is_walked
from umbra.cli.main import main
from umbra.settings import Settings
from umbra.testing import Kit
from umbra.web.problems import problem_of

GIVEN = (ROOT / "tests" / "house" / "given.py").read_text()
BLOCKS = [block for block in every() if not is_walked(block)]

DRAWN = {("CONTRIBUTING.md", "Where things go"), ("docs/concepts.md", "How they meet")}
"""Text that is a drawing."""

SHOWN = {("docs/moving.md", "How it goes"): "tests/imports/test_command.py"}
"""Text that another test compares with what is printed."""

EXCERPTED = [
    path
    for folder in ("examples", "tests/examples")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".js", ".html", ".ini", ".conf", ".yml"} or path.name == "Caddyfile"
]
"""Files that tests run, and that a block may be an excerpt of."""

PROGRAMS = {
    "alembic", "cd", "cp", "curl", "export", "git", "make", "mkdir", "mv", "openssl", "pg_dump", "pg_restore", "pip",
    "pytest", "sqlite3", "uvicorn",
}  # fmt: skip
"""What else a reader is asked to run, and has a manual of its own."""

VARIABLES = {f"UMBRA_{name.upper()}" for name in Settings.model_fields} | {"DATABASE_URL", "ENCRYPTION_KEYS", "JWT_KEY"}


def of(*languages: str) -> pytest.MarkDecorator:
    chosen = [block for block in BLOCKS if block.language in languages]
    return pytest.mark.parametrize("block", chosen, ids=str)


def test_every_block_is_of_a_language_that_is_proven() -> None:
    known = {"python", "sh", "text", "js", "html", "ini", "json", "nginx", "caddyfile", "yaml"}
    assert [] == [str(block) for block in BLOCKS if block.language not in known]


@of("text")
def test_text_is_an_output_that_a_walk_compares_or_a_drawing(block: Block) -> None:
    place = (block.page, block.section)
    assert place in DRAWN or (place in SHOWN and Path(block.page).name in (ROOT / SHOWN[place]).read_text())


@of("js", "html", "ini", "nginx", "caddyfile", "yaml")
def test_what_an_application_is_made_of_is_an_excerpt_of_an_example(block: Block) -> None:
    assert is_excerpt(block.text)


@of("json")
def test_json_is_what_a_refusal_looks_like(block: Block) -> None:
    shown = json.loads(block.text)
    assert json.loads(bytes(problem_of(shown["reason"]).body)) == shown


@of("sh")
def test_shell_is_well_formed_and_names_what_exists(block: Block) -> None:
    subprocess.run(["bash", "-n", "-c", block.text], check=True)
    check_commands(block.text)


# Python: run against a living application, and typed as strictly as a reader's own


def is_excerpt(text: str) -> bool:
    """Say whether an example holds these lines, further in or not."""
    wanted = textwrap.dedent(text).strip("\n")
    return any(wanted == textwrap.dedent(passage) for path in EXCERPTED for passage in _passages(path, wanted))


def _passages(path: Path, wanted: str) -> Iterator[str]:
    """Yield as many lines as ``wanted`` has from each place where they may begin."""
    lines = path.read_text().splitlines()
    height, first = wanted.count("\n") + 1, wanted.partition("\n")[0]
    for number, line in enumerate(lines):
        if line.strip() == first.strip():
            yield "\n".join(lines[number : number + height])


RUN = [block for block in BLOCKS if block.language == "python" and not is_excerpt(block.text)]


def name_of(block: Block) -> str:
    return re.sub(r"\W", "_", f"{block.page} {block.line}")


def printed() -> str:
    """Return a module with each block in a coroutine, which returns what the block defines."""
    parts = [
        f"async def {name_of(block)}() -> Any:\n{textwrap.indent(block.text, '    ')}    return locals()\n"
        for block in RUN
    ]
    return GIVEN + "\n" + re.sub(r"Umbra\(\s*\.\.\.,", "Umbra(user_model=User, **MORE,", "\n".join(parts))


@pytest.fixture
async def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, Any]]:
    """The names of that module, with the application running."""
    monkeypatch.setenv("GIVEN_DATABASE", f"sqlite:///{tmp_path}/given.db")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "templates" / "umbra").mkdir(parents=True)
    (tmp_path / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>')
    names: dict[str, Any] = {"__name__": "printed"}
    exec(compile(printed(), "printed", "exec"), names)  # noqa: S102 - our own documents
    names["Base"].metadata.create_all(names["engine"])
    names["umbra_kit"] = Kit(names["umbra"])
    with Session(names["engine"], expire_on_commit=False) as session:
        names["user"] = names["User"](id=1, email="ann@acme.example", password_hash="")
        session.add(names["user"])
        session.commit()
    async with (
        names["umbra"].lifespan(names["app"]),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=names["app"]), base_url="http://127.0.0.1:8000") as client,
    ):
        names["client"] = client
        scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "client": None, "app": names["app"]}
        names["request"] = Request(scope)
        yield names
    names["engine"].dispose()


@pytest.mark.parametrize("block", RUN, ids=str)
async def test_python_runs(block: Block, given: dict[str, Any]) -> None:
    defined = await given[name_of(block)]()
    for name, value in defined.items() if isinstance(defined, dict) else ():
        if name.startswith("test_"):
            await value(*(given[parameter] for parameter in inspect.signature(value).parameters))


async def test_server_pages_are_led_away_from_and_back_to(given: dict[str, Any]) -> None:
    """
    The routes of that page, used as the page says.
    """
    for block in RUN:
        if block.page == "docs/guides/server-pages.md" and block.text.startswith("@app"):
            await given[name_of(block)]()
    client, kit = given["client"], given["umbra_kit"]

    async def seen(path: str = "/payouts") -> str | int:
        answer = await client.get(path, headers={"Accept": "text/html"})
        place: str = answer.headers.get("Location", "")
        return place or int(answer.status_code)

    assert "/login?next=%2Fpayouts" == await seen()
    assert "/payouts" == (await client.post("/login?next=/payouts")).headers["Location"]
    assert "/auth/security" == (await client.post("/login?next=//elsewhere.example")).headers["Location"]
    assert "/auth/security?notice=enrolment" == await seen()
    await kit.signed_in(client, given["user"], mfa=True)
    assert 200 == await seen()
    kit.clock.move(timedelta(minutes=5, seconds=1))
    assert "/auth/security/step-up?next=%2Fpayouts" == await seen()
    assert 303 == (await client.post("/payouts")).status_code
    kit.clock.move(timedelta(minutes=10))
    assert "step_up_required" == (await client.post("/payouts")).json()["reason"]
    assert 303 == (await client.post("/goodbye")).status_code
    assert "/login?next=%2Fpayouts" == await seen()


@pytest.mark.checks
def test_python_is_typed_as_strictly_as_a_reader_likes(tmp_path: Path, mypy: tuple[str, ...]) -> None:
    (tmp_path / "printed.py").write_text(printed())
    done = subprocess.run(
        [*mypy, "--show-error-context", "printed.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stdout


# The shell: what is ours is parsed by what is ours


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command, without what it is piped into words for."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        command: list[str] = []
        for word in [*words, ";"]:
            if set(word) <= set("();<>|&"):
                if command and command != ["$"]:
                    yield command
                command = []
            else:
                command.append(word)


def check_commands(text: str) -> None:
    """Refuse what nobody could run."""
    for command in commands(text):
        check_command(command)


def check_command(words: list[str]) -> None:
    while words and re.match(r"\w+=", words[0]):
        assert words[0].partition("=")[0] in {*VARIABLES, "PYTHONPATH"}, words
        words = words[1:]
    match [Path(words[0]).name, *words[1:]] if words else []:
        case ["umbra", *arguments]:
            parse(main, "umbra", arguments)
        case ["make", target, *_]:
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        case ["export", variable]:
            assert variable.partition("=")[0] in VARIABLES
        case ["python", "-m", "bench", *_] | []:
            pass
        case [program, *_]:
            assert program in PROGRAMS


def parse(command: click.Command, name: str, arguments: list[str]) -> None:
    """Take a command line apart as the program does, and do nothing.

    Raises:
        click.UsageError: There is no such command, option or argument.
    """
    context = command.make_context(name, list(arguments))
    if isinstance(command, click.Group):
        _, below, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert below is not None
        parse(below, below.name or "", rest)


@pytest.mark.parametrize(
    "wrong", ["umbra keys turn", "umbra keys new --loudly", "make haste", "export UMBRA_KEYS=a", "echo a | rm -r /"]
)
def test_a_command_that_does_not_exist_is_found_out(wrong: str) -> None:
    with pytest.raises((AssertionError, click.UsageError)):
        check_commands(wrong)


def test_what_is_in_no_example_is_no_excerpt() -> None:
    assert not is_excerpt("async function call(path, options = []) {\n")
