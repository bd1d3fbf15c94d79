"""The two ways to use a page: with a mouse, and by the keyboard alone."""

from typing import Any, Protocol

from playwright.sync_api import Locator

MOST_TABS = 90
"""More than any page has places to stop at."""

FOCUS = """target => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  const { outlineStyle, outlineWidth } = getComputedStyle(at), box = at.getBoundingClientRect();
  return {
    is_there: at === target,
    is_shown: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
    what: at.outerHTML.slice(0, 160),
    left: box.left, top: box.top + scrollY, bottom: box.bottom + scrollY,
  };
}"""


class Hands(Protocol):
    def press(self, target: Locator) -> None: ...

    def type(self, target: Locator, text: str) -> None: ...

    def tick(self, target: Locator) -> None: ...


class Mouse:
    """Points and clicks."""

    def press(self, target: Locator) -> None:
        target.click()

    def type(self, target: Locator, text: str) -> None:
        target.fill(text)

    def tick(self, target: Locator) -> None:
        target.check()


class Keyboard:
    """Goes on by Tab, sees where it is at each step, and goes the way that eyes go."""

    def press(self, target: Locator) -> None:
        self._reach(target)
        target.page.keyboard.press("Enter")

    def type(self, target: Locator, text: str) -> None:
        self._reach(target)
        target.page.keyboard.press("Control+A")
        target.page.keyboard.type(text)

    def tick(self, target: Locator) -> None:
        self._reach(target)
        target.page.keyboard.press("Space")

    def _reach(self, target: Locator) -> None:
        wanted = target.element_handle()
        before: dict[str, Any] | None = None
        for _ in range(MOST_TABS):
            at: dict[str, Any] | None = target.page.evaluate(FOCUS, wanted)
            if at is not None:
                assert at["is_shown"], f"nobody sees that the focus is on {at['what']}"
                assert before is None or _is_after(at, before), f"{at['what']} comes after {before['what']}"
                if at["is_there"]:
                    return
            before = at
            target.page.keyboard.press("Tab")
        raise AssertionError(f"no way by Tab to {target}")


def _is_after(at: dict[str, Any], before: dict[str, Any]) -> bool:
    """Say whether one stands below the other, or right of it in the same line."""
    is_beside = at["top"] < before["bottom"] and at["bottom"] > before["top"]
    return bool(at["left"] >= before["left"] if is_beside else at["top"] >= before["bottom"])
