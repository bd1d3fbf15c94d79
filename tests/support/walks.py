"""Pages whose blocks belong together, walked through as a reader would: with a shell, a server, and time to wait."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from support.blocks import Block
from support.servers import environment_of, get

WALKS = {
    "README.md": {"Run it", "A first use, with curl"},
    "docs/guides/quickstart.md": {"The application", "Run it", "Use it"},
}
"""Pages, and the sections of each that are walked through, in order."""

ELSEWHERE = "make test\n"
"""A block that is not run within a test."""

SERVES = re.compile(r"^(make run|uvicorn .*)$", re.MULTILINE)
ANSWERS_WITHIN = 30

_WAITING = """
set -eo pipefail
ahead=0
sleep() { ahead=$((ahead + $1)); }
oathtool() { command oathtool --now "$(date -u -d "+$ahead seconds" '+%F %T UTC')" "$@"; }
"""
"""To wait is to have an app that is ahead; servers take a code of the next half minute."""


def is_walked(block: Block) -> bool:
    """Say whether a walk comes through here."""
    return block.section in WALKS.get(block.page, set())


class Walk:
    """A reader's terminals, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = environment_of({"data_dir": "data"}) | {"PATH": programs}
        self.said = ""
        self._stack = contextlib.ExitStack()
        self._log = (folder / "errors").open("w+")
        self._shell = subprocess.Popen(
            ["bash"], cwd=folder, env=self.environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
        )  # fmt: skip
        self._type(_WAITING)

    def close(self) -> None:
        """Leave, and stop what was started."""
        self._shell.communicate()
        self._stack.close()
        self._log.close()

    def come_to(self, block: Block) -> None:
        """Do what a block says."""
        text = block.text.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}").replace(".venv/bin/", "")
        match block.language:
            case "python":
                name = text.partition("\n")[0].removeprefix("# ")
                (self.folder / name).write_text(text)
            case "sh" if text == ELSEWHERE:
                pass
            case "sh" if SERVES.search(text):
                self.said = self._stack.enter_context(self._served(text))
            case "sh":
                self.said = self._type(text)
            case "text":
                assert_alike(text, self.said)

    def _type(self, text: str) -> str:
        """Type commands, and return what they print."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{text}\necho DONE\n")
        self._shell.stdin.flush()
        lines = []
        while (line := self._shell.stdout.readline()) != "DONE\n":
            assert line, (self.folder / "errors").read_text()  # a command has failed, and the shell has ended
            lines.append(line)
        return "".join(lines)

    @contextlib.contextmanager
    def _served(self, text: str) -> Iterator[str]:
        """Start a server in another terminal, and return what it has printed when it answers."""
        command = text.replace("make run", f"umbra serve --port {self.port}")
        command = re.sub(r"^(uvicorn .*)$", rf"exec \1 --port {self.port}", command, flags=re.MULTILINE)
        log = self.folder / "served"
        with log.open("w") as output, (self.folder / "served-errors").open("w") as errors:
            server = subprocess.Popen(
                ["bash", "-c", command.replace("umbra serve", "exec umbra serve")],
                cwd=self.folder, env=self.environment, stdout=output, stderr=errors,
            )  # fmt: skip
        try:
            until = time.monotonic() + ANSWERS_WITHIN
            while not self._answers():
                assert server.poll() is None, (self.folder / "served-errors").read_text()
                assert time.monotonic() < until, "the server does not answer"
                time.sleep(0.05)
            yield log.read_text()
        finally:
            server.terminate()
            server.wait(10)

    def _answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return bool(get(f"http://127.0.0.1:{self.port}/"))
        return False


def assert_alike(shown: str, said: str) -> None:
    """Compare an output with what a document shows: ``…`` is anything, moments and spaces in JSON do not count."""
    wanted, got = ([_plain(line) for line in text.rstrip("\n").split("\n")] for text in (shown, said))
    assert len(wanted) == len(got), said
    for line, other in zip(wanted, got, strict=True):
        assert re.fullmatch(_pattern(line), other), f"shown: {line}\nsaid:  {other}"


def _plain(line: str) -> str:
    line = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "MOMENT", line)
    return re.sub(r'([:,]) (?=["\[{\d…ntf])', r"\1", line)


def _pattern(line: str) -> str:
    """Return what a line of an output may look like; of a value that is cut, its beginning may differ as well."""
    *cut, last = line.split("…")
    return "".join(re.escape(re.sub(r"[A-Z0-9-]+$", "", part)) + ".*" for part in cut) + re.escape(last)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
