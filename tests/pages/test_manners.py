"""What browsers and password managers find on the pages, and what everybody finds on all of them."""

import re

import pytest

from pages.browsing import STATIC, Browser
from support.people import Person

INSIDE = ["/security", "/security/sessions", "/security/activity", "/security/not-me", "/security/account"]


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        ("/sign-in", ["current-password"]),
        ("/register", ["new-password"]),
        ("/security/account", ["current-password", "new-password"]),
    ],
)
async def test_a_password_is_masked_and_known_to_password_managers(
    alice: Person, browser: Browser, path: str, kinds: list[str]
) -> None:
    if path != "/security/account":
        alice.client.cookies.clear()
    inputs = re.findall(r"<input\b[^>]*>", (await browser.open(path)).text)
    passwords = [one for one in inputs if re.search(r'\bname="\w*password"', one)]
    assert kinds == [re.findall(r'autocomplete="([\w-]+)"', one)[0] for one in passwords]
    assert all('type="password"' in one and "maxlength" not in one for one in passwords)


def test_no_script_hinders_pasting_or_keeps_anything_in_the_browser() -> None:
    script = (STATIC / "umbra.js").read_text()
    assert [] == [word for word in ("paste", "localStorage", "sessionStorage", "indexedDB", "cookie") if word in script]


@pytest.mark.parametrize("path", INSIDE)
async def test_the_way_out_is_on_every_page(enrolled: Person, browser: Browser, path: str) -> None:
    assert "csrf" in (await browser.open(path)).form("/sign-out").values
