"""The public API under the strictest settings of both type checkers, from where an application stands."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.tools import needs

HERE = Path(__file__).parent
Found = set[tuple[str, int]]
"""File and line of what a checker finds wrong."""


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """A folder that has nothing to do with this project, with the two files in it."""
    for name in ("right.py", "wrong.py"):
        shutil.copy(HERE / name, tmp_path)
    strict = {"typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(strict))
    return tmp_path


def by_mypy(folder: Path, mypy: tuple[str, ...]) -> Found:
    said = _run(folder, *mypy, "--no-error-summary", "--show-absolute-path", ".")
    places = re.findall(r"^.*?(\w+\.py):(\d+): error:", said, re.MULTILINE)
    return {(name, int(line)) for name, line in places}


def by_pyright(folder: Path, _mypy: tuple[str, ...]) -> Found:
    needs("node", "nodejs")
    report = json.loads(_run(folder, sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable))
    return {
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1)
        for one in report["generalDiagnostics"]
        if one["severity"] == "error"
    }


def _run(folder: Path, *command: str) -> str:
    quiet = {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}  # it would ask whether there is a newer one
    done = subprocess.run(
        command,
        cwd=folder, env=os.environ | quiet, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout


@pytest.mark.checks
@pytest.mark.parametrize("checker", [by_mypy, by_pyright])
def test_what_is_right_passes_and_each_mistake_is_found(
    application: Path, checker: Callable[[Path, tuple[str, ...]], Found], mypy: tuple[str, ...]
) -> None:
    lines = (application / "wrong.py").read_text().splitlines()
    marked = {("wrong.py", number) for number, line in enumerate(lines, 1) if line.endswith("# refused")}
    assert marked == checker(application, mypy)
