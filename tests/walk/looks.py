"""What a page is examined for wherever a walk stops: room, text of twice the size, weight."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

WIDE, PHONE, NARROWEST = (1000, 800), (360, 740), (320, 640)
"""In CSS pixels; the last is what WCAG 2.2, 1.4.10, asks for."""

MOST_TOLD = 3
"""Of things that are wrong in the same way, as a list of fifty rows has them."""

LOOK = (Path(__file__).parent / "look.js").read_text()
WEIGHT = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0)"""
TEXT_SIZE = "size => { document.documentElement.style.fontSize = size }"


def see(page: Page) -> list[str]:
    """Return what is wrong with a page in any size."""
    wrong = []
    for size, text in ((NARROWEST, "100%"), (PHONE, "200%"), (WIDE, "200%"), (WIDE, "100%")):
        resize(page, size)
        page.evaluate(TEXT_SIZE, text)
        seen = page.evaluate(LOOK)
        wrong += [f"at {size[0]} px, text {text}: {one}" for one in _seen(seen, size[0])]
        wrong += [f"at {size[0]} px, within a word: {one}" for one in seen["broken"] if text == "100%"]
    page.evaluate(TEXT_SIZE, "")
    return wrong


def weight(page: Page) -> int:
    """Return the bytes of a page with everything that comes with it, uncompressed, as the browser counts them."""
    counted: int = page.evaluate(WEIGHT)
    return counted


def emulate(page: Page, **way: Any) -> None:
    """Look in a certain way, and otherwise as most people do."""
    usual = {"color_scheme": "light", "forced_colors": "none", "reduced_motion": "no-preference", "media": "screen"}
    page.emulate_media(**(usual | way))


def resize(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})


def _seen(seen: dict[str, Any], width: int) -> list[str]:
    wrong = [f"{seen['width']} px wide"] if seen["width"] > width else []
    for what, where in (("cut off", "cut"), ("off the screen", "out"), ("one on the other", "over")):
        wrong += [f"{what}: {one}" for one in seen[where][:MOST_TOLD]]
    return wrong
