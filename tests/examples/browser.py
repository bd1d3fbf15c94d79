"""Use Acme's single-page app in a real Chromium, and keep a picture of each question that it asks.

    make examples

Acme runs here, on a PostgreSQL that is started for it, with the clock of ``umbra.testing``: five minutes pass at once.
QR codes are read off the screen by zbarimg and codes computed by oathtool, neither of which knows us. Exits with
non-zero at the first thing that is not as it should be.
"""

import argparse
import asyncio
import contextlib
import importlib
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import uvicorn
from playwright.async_api import Locator, Page, Request, async_playwright, expect

from examples import applications
from support import postgres
from umbra.testing import Kit

CHROMIUM = "/usr/bin/chromium"
PASSWORD = "seven brass otters sing"
FIVE_MINUTES_AND_MORE = timedelta(minutes=5, seconds=1)
PERIOD = timedelta(seconds=30)


class Visit:
    """Somebody at Acme's page, with an authenticator app."""

    def __init__(self, page: Page, kit: Kit[Any], pictures: Path) -> None:
        self.page = page
        self.kit = kit
        self.pictures = pictures
        self.secret = ""

    async def press(self, name: str, within: str = "main") -> None:
        await self.page.locator(within).get_by_role("button", name=name, exact=True).click()

    async def asked(self, dialog: str) -> Locator:
        """Be asked something, and take its picture."""
        question = self.page.locator(f"dialog#{dialog}")
        await expect(question).to_be_visible()
        await self.page.screenshot(path=self.pictures / f"{dialog}.png")
        return question

    async def answers(self, dialog: str, button: str = "Go on", /, **typed: str) -> None:
        """Answer a question."""
        question = await self.asked(dialog)
        for name, text in typed.items():
            await question.locator(f"[name={name}]").fill(text)
        await question.get_by_role("button", name=button, exact=True).click()

    async def refused(self, dialog: str, text: str) -> None:
        await expect(self.page.locator(f"dialog#{dialog} [role=alert]")).to_have_text(re.compile(text))

    async def told(self, text: str) -> None:
        await expect(self.page.get_by_role("status")).to_have_text(text)
        await expect(self.page.locator("dialog[open]")).to_have_count(0)

    async def scan(self) -> None:
        """Read the QR code off the screen into the app; it must hold the key that stands below it."""
        picture = self.pictures / "qr.png"
        await (await self.asked("set-up")).locator("img").screenshot(path=picture)
        scanned = urlsplit(_output("zbarimg", "-q", "--raw", str(picture)))
        assert ("otpauth", "totp") == (scanned.scheme, scanned.netloc)
        (self.secret,) = parse_qs(scanned.query)["secret"]
        assert self.secret == await self.page.locator("#secret").inner_text()
        picture.unlink()

    def code(self) -> str:
        """Return a code that has not been used yet."""
        self.kit.clock.move(PERIOD)
        now = self.kit.clock.now().strftime("%Y-%m-%d %H:%M:%S UTC")
        return _output("oathtool", "--totp", "-b", self.secret, f"--now={now}")


async def use(visit: Visit) -> None:
    """Do what people do at Acme."""
    await visit.told("Nobody is signed in.")
    await visit.press("Register")
    await visit.answers("register", "Make the account", email="Ann@acme.example", password=PASSWORD)
    await visit.told("There is an account for ann@acme.example now.")
    backup_codes = await one_press_from_nothing_to_a_payout(visit)
    await step_up_after_five_minutes(visit)
    await sign_in_with_a_backup_code(visit, backup_codes[0])
    await set_up_in_a_session_that_has_grown_old(visit)


async def one_press_from_nothing_to_a_payout(visit: Visit) -> list[str]:
    """Press once: the page asks for the password, sets an app up, hands out backup codes, and goes on."""
    await visit.press("Pay me out")
    await visit.answers("sign-in", email="ann@acme.example", password="not the password")
    await visit.refused("sign-in", "wrong")
    await visit.answers("sign-in", email="ann@acme.example", password=PASSWORD)
    await visit.scan()
    await visit.answers("set-up", "Confirm", code="000000")
    await visit.refused("set-up", "code is not right")
    await visit.answers("set-up", "Confirm", code=visit.code())
    await visit.asked("backup-codes")
    backup_codes = (await visit.page.locator("#codes").inner_text()).split()
    assert 10 == len(set(backup_codes)), backup_codes
    async with visit.page.expect_download() as saving:
        await visit.page.get_by_role("link", name="Save them as a file").click()
    saved = await (await saving.value).path()
    assert backup_codes == saved.read_text().split()
    await visit.answers("backup-codes", "I have kept them")
    await visit.told("Paid to ann@acme.example.")
    assert "" == await visit.page.locator("#codes").inner_text()
    return backup_codes


async def step_up_after_five_minutes(visit: Visit) -> None:
    visit.kit.clock.move(FIVE_MINUTES_AND_MORE)
    await visit.press("Pay me out")
    await visit.answers("code", "Cancel")
    await visit.told("Cancelled.")
    await visit.press("Pay me out")
    used = visit.code()
    await visit.answers("code", code=f"{used[:3]} {used[3:]}")
    await visit.told("Paid to ann@acme.example.")
    visit.kit.clock.move(FIVE_MINUTES_AND_MORE)
    await visit.press("Pay me out")
    await visit.answers("code", code=used)
    await visit.refused("code", "no longer good")
    await visit.answers("code", code=visit.code())
    await visit.told("Paid to ann@acme.example.")


async def sign_in_with_a_backup_code(visit: Visit, backup_code: str) -> None:
    await visit.press("Sign out")
    await visit.told("Nobody is signed in.")
    await visit.press("Sign in")
    await visit.answers("sign-in", email="ann@acme.example", password=PASSWORD)
    await visit.answers("code", code=backup_code.lower())
    await visit.told("Signed in as ann@acme.example.")
    await visit.page.reload()
    await visit.told("Signed in as ann@acme.example.")


async def set_up_in_a_session_that_has_grown_old(visit: Visit) -> None:
    """Set-up wants a fresh proof, and the page asks for one in between."""
    await visit.press("Sign out")
    await visit.told("Nobody is signed in.")
    await visit.press("Register")
    await visit.answers("register", "Make the account", email="ben@acme.example", password=PASSWORD)
    await visit.press("Sign in")
    await visit.answers("sign-in", email="ben@acme.example", password=PASSWORD)
    await visit.told("Signed in as ben@acme.example.")
    visit.kit.clock.move(timedelta(minutes=11))
    await visit.press("Pay me out")
    await visit.answers("password", password=PASSWORD)
    await visit.scan()
    await visit.answers("set-up", "Confirm", code=visit.code())
    await visit.answers("backup-codes", "I have kept them")
    await visit.told("Paid to ben@acme.example.")


@contextlib.asynccontextmanager
async def served(acme: ModuleType) -> AsyncIterator[str]:
    """Run Acme, and yield its address."""
    address = os.environ["PUBLIC_URL"]
    server = uvicorn.Server(uvicorn.Config(acme.app, port=int(address.rpartition(":")[2]), log_level="warning"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.wait({serving}, timeout=0.05)
        assert not serving.done(), "Acme does not start"
    yield address
    server.should_exit = True
    await serving
    await acme.engine.dispose()


async def visited(pictures: Path) -> None:
    acme = importlib.import_module("acme.main")
    kit = Kit[Any](acme.umbra)
    faults: list[str] = []
    async with served(acme) as address, async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = await chromium.new_page(viewport={"width": 700, "height": 640})
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: faults.append(str(error)))

        def asked_for(request: Request) -> None:
            if not request.url.startswith((address, "data:")):
                faults.append(request.url)

        page.on("request", asked_for)
        await page.goto(address)
        await use(Visit(page, kit, pictures))
        await chromium.close()
    assert [] == faults


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def main() -> None:
    parser = argparse.ArgumentParser(description="Use the single-page example with Chromium.")
    parser.add_argument("pictures", type=Path, help="folder for the pictures")
    pictures = parser.parse_args().pictures / "examples"
    pictures.mkdir(parents=True, exist_ok=True)
    with (
        postgres.running() as server,
        applications.fresh_postgres(server) as url,
        tempfile.TemporaryDirectory(prefix="umbra-examples-") as folder,
    ):
        given = applications.environment(url)
        applications.with_tables_like_its_own(applications.copy_of("acme", Path(folder)), given)
        os.environ.update(given, PUBLIC_URL=f"http://127.0.0.1:{_free_port()}")
        asyncio.run(visited(pictures))
    sys.stdout.write("the single-page app does as it should\n")


if __name__ == "__main__":
    main()
