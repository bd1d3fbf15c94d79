"""What Umbra costs, and whether it keeps its goals: ``make bench``, or ``make bench QUICK=1``.

Figures are medians over alternating rounds on one machine; what counts is their ratio. ``docs/performance.md`` says
what is measured and how to read it.
"""

import argparse
import dataclasses
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import (
    cleanup,
    growth,
    hashing,
    machine,
    pgbench,
    profiles,
    ratios,
    report,
    saturation,
    serving,
    startup,
    workers,
)
from bench.results import Part, Plan

PARTS: dict[str, Callable[[Plan, Path], Part]] = {
    "ratios": ratios.measure,
    "pgbench": pgbench.measure,
    "workers": workers.measure,
    "hashing": hashing.measure,
    "saturation": saturation.measure,
    "growth": growth.measure,
    "cleanup": cleanup.measure,
    "startup": startup.measure,
    "profiles": profiles.measure,
}
QUICK = ("ratios", "startup")
ALWAYS = tuple(name for name in PARTS if name != "profiles")
"""What is measured when nothing is chosen; a profile disturbs what it looks at, and wants rights of its own."""

PROGRAMS = {"pgbench": "pgbench", "profiles": "py-spy"}
"""What a part needs besides wrk and taskset."""


def main() -> None:
    """Measure, print, write down, and fail when a goal is missed."""
    chosen = _arguments()
    _look_for_programs(chosen.only)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that what was started is ended
    plan = Plan(chosen.rounds, chosen.seconds, chosen.sizes, chosen.expired, chosen.quick)
    parts, failed = _measured(chosen.only, plan)
    if chosen.write:
        report.write(parts, _facts(), list(PARTS))
    missed = report.missed(parts, is_quick=plan.is_quick) + [f"{name}: could not be measured" for name in failed]
    if missed:
        sys.exit("\nMissed:\n" + "\n".join(f"  {one}" for one in missed))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Umbra; see docs/performance.md.")
    parser.add_argument("--quick", action="store_true", help="only what CI looks at, against milder bounds")
    parser.add_argument("--only", type=_parts, help=f"parts, separated by commas: {','.join(PARTS)}")
    parser.add_argument("--rounds", type=int, help="how many alternating rounds")
    parser.add_argument("--seconds", type=int, help="how long each of them takes")
    parser.add_argument("--sizes", type=_numbers, default=(10**4, 10**6, 10**7), help="accounts, for growth")
    parser.add_argument("--expired", type=int, default=10**6, help="expired rows, for cleanup")
    parser.add_argument("--write", action="store_true", help="write docs/performance.* although parts were chosen")
    chosen = parser.parse_args()
    chosen.write = chosen.write or not (chosen.quick or chosen.only)
    chosen.only = chosen.only or (QUICK if chosen.quick else ALWAYS)
    chosen.rounds = chosen.rounds or (3 if chosen.quick else 5)
    chosen.seconds = chosen.seconds or (2 if chosen.quick else 5)
    return chosen


def _look_for_programs(names: tuple[str, ...]) -> None:
    programs = {"wrk", "taskset"} | {PROGRAMS[name] for name in names if name in PROGRAMS}
    missing = sorted(program for program in programs if shutil.which(program) is None)
    if missing:
        sys.exit(f"the bench needs {', '.join(missing)}; docs/performance.md says from where")


def _measured(names: tuple[str, ...], plan: Plan) -> tuple[list[Part], list[str]]:
    """Measure one part after the other; one that breaks does not take the others with it."""
    found: list[Part] = []
    failed = []
    for name in names:
        folder = Path(tempfile.mkdtemp(prefix="umbra-bench-"))
        try:
            part = dataclasses.replace(PARTS[name](plan, folder), date=f"{datetime.now(UTC):%Y-%m-%d}")
        except Exception:  # noqa: BLE001 - whatever it was, it is shown, and makes the run fail
            traceback.print_exc()
            failed.append(name)
        else:
            report.show(part, is_quick=plan.is_quick)
            found.append(part)
        finally:
            shutil.rmtree(folder)
    return found, failed


def _facts() -> dict[str, str]:
    with serving.postgres_server() as address:
        return machine.facts(serving.postgres_version(address))


def _parts(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no such part: {', '.join(unknown)}")
    return names


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    main()
