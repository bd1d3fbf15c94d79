"""Walk through the pages with a real Chromium: with scripts and without, by mouse and by keyboard, on both databases.

    make browse

starts ``umbra serve`` for each walk, on a free port of this machine, goes the whole way of ``story.walk``, and prints
what was walked. QR codes are read off the screen by zbarimg and codes computed by oathtool, neither of which knows us.
Wants chromium, zbarimg and oathtool. Exits with non-zero, and the reason, when something is not as it should be.
"""

import argparse
import sys
import tempfile
import time
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from playwright.sync_api import Error, expect, sync_playwright

from walk import service, story
from walk.album import Album
from walk.axe import reader
from walk.hands import Hands, Keyboard, Mouse
from walk.walker import PATIENCE_MILLISECONDS, Walker, opened
from walk.watch import Watch

CHROMIUM = "/usr/bin/chromium"
AT_ONCE = 2


@dataclass(frozen=True)
class Plan:
    """One walk of several; ``pictures`` is the folder for them where any are kept."""

    database: str
    has_scripts: bool
    hands: type[Hands]
    pictures: Path | None

    def __str__(self) -> str:
        return f"{self.database:<10}  {'with' if self.has_scripts else 'no':<7}  {self.hands.__name__.lower():<8}"


@dataclass(frozen=True)
class Walked:
    """What came of one; ``reasons`` say what is wrong."""

    stops: list[str]
    pictures: int
    mails: int
    requests: int
    seconds: float
    reasons: list[str]


def plans(pictures: Path) -> list[Plan]:
    return [
        Plan("sqlite", has_scripts=True, hands=Mouse, pictures=pictures / "sqlite"),
        Plan("postgresql", has_scripts=False, hands=Mouse, pictures=pictures / "postgresql"),
        Plan("sqlite", has_scripts=False, hands=Keyboard, pictures=None),
        Plan("postgresql", has_scripts=True, hands=Keyboard, pictures=None),
    ]


def walked(plan: Plan) -> Walked:
    """Walk once, on a service of its own."""
    began = time.monotonic()
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    with (
        tempfile.TemporaryDirectory(prefix="umbra-walk-") as folder,
        service.running(plan.database, Path(folder)) as running,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        watch, album = Watch(running.address), Album(plan.pictures, reader(chromium, running.address))
        context = chromium.new_context(java_script_enabled=plan.has_scripts, viewport={"width": 1000, "height": 800})
        way = Walker(opened(context, watch), plan.hands(), album, watch, running, plan.has_scripts)
        try:
            story.walk(way)
        except (AssertionError, Error) as error:
            album.wrong.append(f"after {album.stops[-1]}, at {way.page.url}: {str(error).partition('Call log')[0]}")
        chromium.close()
        return Walked(
            album.stops,
            album.pictures,
            len(running.office.deliveries),
            len(watch.requests),
            time.monotonic() - began,
            album.wrong,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Walk through the pages with Chromium.")
    parser.add_argument("pictures", type=Path, help="folder for the pictures")
    made = plans(parser.parse_args().pictures)
    for plan in made:
        if plan.pictures is not None:
            plan.pictures.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(AT_ONCE, get_context("spawn")) as processes:
        results = {plan: processes.submit(walked, plan) for plan in made}
        sys.exit(told(results) > 0)


def told(results: dict[Plan, "Future[Walked]"]) -> int:
    """Print what was walked and what is wrong, and return how much that is."""
    sys.stdout.write("database    scripts  hands     stops  pictures  mails  requests  seconds\n")
    reasons = []
    for plan, future in results.items():
        done = future.result()
        counts = f"{len(done.stops):5}  {done.pictures:8}  {done.mails:5}  {done.requests:8}  {done.seconds:7.0f}"
        sys.stdout.write(f"{plan}  {counts}\n")
        sys.stdout.flush()
        reasons += [f"{plan}: {reason}" for reason in done.reasons]
    sys.stdout.write("\n".join(reasons or ["all as it should be"]) + "\n")
    return len(reasons)


if __name__ == "__main__":
    main()
