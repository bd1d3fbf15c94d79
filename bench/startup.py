"""How soon a command answers: ``umbra serve`` to its first ready, and ``umbra --help``."""

import contextlib
import statistics
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from bench import serving
from bench.results import Goal, Part, Plan
from support.servers import UMBRA, environment_of

TIMES = 5
MOST_SERVE_SECONDS = 1.5
MOST_HELP_SECONDS = 0.3
FLOOR = 2
"""How many times the goal a quick run on a busy machine may take."""


def measure(plan: Plan, folder: Path) -> Part:
    """Start everything a few times, and take the medians."""
    times = 3 if plan.is_quick else TIMES
    took: dict[str, list[float]] = {"umbra serve, new": [], "umbra serve, again": [], "umbra --help": []}
    for number in range(times):
        environment = environment_of({"data_dir": str(folder / f"data-{number}")})
        took["umbra serve, new"].append(_until_ready(environment))
        took["umbra serve, again"].append(_until_ready(environment))
        took["umbra --help"].append(_until_ended(environment, "--help"))
    bounds = (MOST_SERVE_SECONDS, MOST_SERVE_SECONDS, MOST_HELP_SECONDS)
    goals = [
        Goal(name, round(statistics.median(seconds), 2), most, " s", is_least=False, floor=FLOOR * most)
        for (name, seconds), most in zip(took.items(), bounds, strict=True)
    ]
    return Part(
        "startup",
        "Start-up",
        goals=goals,
        notes=["New is an empty data directory: keys and schema are made. Again is the same one a second time."],
        raw=took,
    )


def _until_ready(environment: Mapping[str, str]) -> float:
    port = serving.free_port()
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        process = subprocess.Popen(
            [*UMBRA, "serve", "--port", str(port)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(serving.stop, process)
        serving.await_ready(port)
        return time.monotonic() - began


def _until_ended(environment: Mapping[str, str], *arguments: str) -> float:
    began = time.monotonic()
    subprocess.run([*UMBRA, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began
