"""Somebody who goes through the pages, and says at each step what they see."""

import re
import subprocess
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import BrowserContext, Locator, Page, expect

from walk.album import Album
from walk.hands import Hands
from walk.service import Service
from walk.watch import Watch

PATIENCE_MILLISECONDS = 20_000
"""For one step: longer than the server itself waits for a database that somebody holds."""


@dataclass
class Walker:
    page: Page
    hands: Hands
    album: Album
    watch: Watch
    service: Service
    has_scripts: bool
    read: list[str] = field(default_factory=list)
    """Codes from mails that were read already."""

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    def beside(self) -> "Walker":
        """Open another tab of the same browser."""
        return replace(self, page=self.context.new_page())

    def elsewhere(self, **more: str) -> "Walker":
        """Use another browser."""
        browser = self.context.browser
        assert browser is not None
        context = browser.new_context(java_script_enabled=self.has_scripts, **more)  # type: ignore[arg-type]
        return replace(self, page=opened(context, self.watch))

    def go(self, path: str) -> None:
        self.page.goto(self.service.address + path)

    def stop(self, name: str, heading: str) -> None:
        """Be at the page with that heading, and have it examined."""
        self.at(heading)
        self.album.stop(self.page, name)

    def at(self, heading: str) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)
        self.watch.check()

    def told(self, text: str) -> None:
        """Read what has been done."""
        expect(self.page.get_by_role("status").first).to_contain_text(text)

    def refused(self, text: str) -> None:
        """Be told at the head of the page and in its title, with the focus on it, or in the one field it is about."""
        expect(self.page.get_by_role("alert")).to_contain_text(text)
        expect(self.page).to_have_title(re.compile("^(Error|Fehler): "))
        expect(self.page.locator(".problem:focus, [aria-invalid]:focus")).to_have_count(1)

    def type(self, label: str, text: str, within: str = "main") -> None:
        self.hands.type(self._field(label, within), text)

    def paste(self, label: str, text: str) -> None:
        field = self._field(label, "main")
        field.focus()
        field.evaluate("one => one.select()")
        self.page.keyboard.insert_text(text)

    def press(self, name: str, within: str = "body") -> None:
        """Press the button that sends a form, and see what comes."""
        with self.page.expect_navigation():
            self.hands.press(self._button(name, within))

    def touch(self, name: str) -> None:
        """Press a button that leads nowhere."""
        self.hands.press(self._button(name, "body"))

    def follow(self, name: str) -> None:
        with self.page.expect_navigation():
            self.hands.press(self.page.get_by_role("link", name=name).first)

    def unfold(self, name: str, within: str = "main") -> None:
        self.hands.press(self.page.locator(within).locator("summary").filter(has_text=name, visible=True))

    def tick(self, label: str) -> None:
        self.hands.tick(self.page.get_by_label(label))

    def scan(self) -> str:
        """Read the QR code off the screen, in light and in the dark, and return its secret."""
        scanned = {self._scanned(scheme) for scheme in ("dark", "light")}
        assert len(scanned) == 1, scanned
        address = urlsplit(scanned.pop())
        assert ("otpauth", "totp", "/Umbra:ada") == (address.scheme, address.netloc, address.path), address
        (secret,) = parse_qs(address.query)["secret"]
        assert secret == self.page.locator(".key").inner_text().replace(" ", ""), "another key in letters"
        assert address.geturl() == self.page.locator("a[href^='otpauth:']").get_attribute("href")
        return secret

    def code(self, secret: str, **ahead: float) -> str:
        """Wait for the next code of an app, whose clock may be wrong, and read it."""
        self.service.later(seconds=30)
        at = int(self.service.now().timestamp()) + int(60 * ahead.get("minutes", 0))
        return output("oathtool", "--totp", "-b", secret, f"--now=@{at}")

    def _scanned(self, scheme: str) -> str:
        self.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        picture = self.page.screenshot(full_page=True)
        return output("zbarimg", "-q", "--raw", "-", given=picture)

    def _field(self, label: str, within: str) -> Locator:
        return self.page.locator(within).get_by_label(label).filter(visible=True)

    def _button(self, name: str, within: str) -> Locator:
        return self.page.locator(within).get_by_role("button", name=name, exact=True).filter(visible=True)


def opened(context: BrowserContext, watch: Watch) -> Page:
    """Open a page in a browser that is watched."""
    watch.over(context)
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    return context.new_page()


def output(*command: str, given: bytes | None = None) -> str:
    return subprocess.run(command, check=True, capture_output=True, input=given).stdout.decode().strip()
