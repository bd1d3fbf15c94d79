"""The walks that there are, and one of them from its start to its end."""

import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Error, expect, sync_playwright

from pages.browsing import MOST_BYTES
from walk import service, story
from walk.album import Album
from walk.axe import reader
from walk.hands import Hands, Keyboard, Mouse
from walk.walker import PATIENCE_MILLISECONDS, Walker, opened
from walk.watch import Watch

CHROMIUM = "/usr/bin/chromium"


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
    heaviest: int
    mails: int
    requests: int
    seconds: float
    reasons: list[str]

    def __str__(self) -> str:
        counts = f"{len(self.stops):5}  {self.pictures:8}  {self.heaviest:14}"
        return f"{counts}  {self.mails:5}  {self.requests:8}  {self.seconds:7.0f}"


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
            reason = re.split("Call log|Browser logs", str(error))[0]
            album.wrong.append(f"after {album.stops[-1:]}, at {way.page.url}: {reason}")
        if album.heaviest >= MOST_BYTES:
            album.wrong.append(f"a page of {album.heaviest} bytes")
        chromium.close()
        return Walked(
            album.stops,
            album.pictures,
            album.heaviest,
            len(running.office.deliveries),
            len(watch.requests),
            time.monotonic() - began,
            album.wrong,
        )
