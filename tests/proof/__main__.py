"""Prove it at length, and say on one page what was tried: ``make proof``."""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).parents[2]
WHAT = {
    "proof.test_model": "histories against the model, on both databases, and four faulty services",
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
        for line in report(ET.parse(results)):  # noqa: S314 - pytest has just written it
            sys.stdout.write(line + "\n")
    return done.returncode


def report(results: "ET.ElementTree[ET.Element]") -> Iterator[str]:
    """Yield the lines of the page."""
    yield f"\nProofs, at {os.environ.get('UMBRA_PROOF_TIMES', '1')} times the effort of make test\n"
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
