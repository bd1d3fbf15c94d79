"""Prove it at length, and say on one page what was tried: ``make proof``."""

import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from proof.effort import TIMES

ROOT = Path(__file__).parents[2]
WHAT = {
    "proof.test_model": "histories against the model, on both databases, and five faulty services",
    "proof.test_history": "forged histories, shown to the checker",
    "races.test_recorded_load": "many at once on two servers, recorded and checked",
    "proof.test_fuzz": "requests made up from the OpenAPI document",
    "proof.test_parsers": "texts for everything that reads one",
    "proof.test_matrix": "call by state by session",
    "house.test_spends": "what is used once, and who writes it",
    "faults.test_postgres": "PostgreSQL away, busy, or cut off at every moment of a proof",
    "faults.test_sqlite": "SQLite on a full disk, or locked",
    "faults.test_killed": "a server process killed at every moment of a sign-in, on both databases",
    "faults.test_clocks": "two servers whose clocks are five minutes apart",
    "faults.test_keys": "a server without its key",
    "faults.test_mail": "a mail server that takes nothing",
}


def main() -> int:
    """Run all of it, print the report, and return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.xml"
        where = [f"tests/{module.replace('.', '/')}.py" for module in WHAT]
        command = [sys.executable, "-m", "pytest", "-n", "auto", "-q", f"--junitxml={results}", *where]
        done = subprocess.run(command, cwd=ROOT, check=False)
        code, guards = sabotaged() if TIMES > 1 else (0, "not tried: guards taken away; TIMES=2 and more does")
        for line in (*report(ET.parse(results)), guards):  # noqa: S314 - pytest has just written it
            sys.stdout.write(line + "\n")
    return done.returncode or code


def sabotaged() -> tuple[int, str]:
    """Take every guard away in turn, on both databases, and return the exit code and the line of the page."""
    done = subprocess.run(
        [sys.executable, "tests/races/sabotage.py", "--both"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.stdout.write(done.stdout)
    said = done.stdout.strip().rpartition("\n")[2]
    return done.returncode, f"{'NOT GOOD' if done.returncode else 'good'}: guards taken away in turn: {said}"


def report(results: "ET.ElementTree[ET.Element]") -> Iterator[str]:
    """Yield the lines of the page."""
    yield f"\nProofs, at {TIMES} times the effort of make test\n"
    for module, what in WHAT.items():
        cases = [one for one in results.iter("testcase") if one.get("classname", "").endswith(module)]
        bad = [one.get("name") for one in cases if one.find("failure") is not None or one.find("error") is not None]
        tried = Counter[str]()
        for one in cases:
            tried.update({each.get("name", ""): int(each.get("value", "0")) for each in one.iter("property")})
        counts = ", ".join(f"{number:,} {name}" for name, number in tried.items())
        yield f"{'NOT GOOD' if bad or not cases else 'good'}: {what}: {len(cases)} tests{counts and ', ' + counts}"
        yield from (f"    {name}" for name in bad)


if __name__ == "__main__":
    sys.exit(main())
