"""axe-core, which reads copies of the pages that a walk comes by, in a browser of its own.

In theirs it could not run: where scripts are off, nothing that waits goes on. And where it runs, the pages' policy is
lifted, which it is nowhere else.
"""

from dataclasses import dataclass

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page

from walk import looks

WAYS: tuple[dict[str, str], ...] = (
    {},
    {"color_scheme": "dark"},
    {"forced_colors": "active", "reduced_motion": "reduce"},
)
RUN = """() => axe.run(document, { resultTypes: ["violations"], rules: { "target-size": { enabled: true } } })
  .then(({ violations }) => violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map((it) => it.html)}`))"""

STYLED = """getComputedStyle(document.body).getPropertyValue("--paper") !== "" """


@dataclass
class Reader:
    page: Page

    def broken(self, page: Page) -> list[str]:
        """Return the rules that a page breaks, in each way that people look at it."""
        self.page.set_content(page.content())
        assert self.page.evaluate(STYLED), "axe would read a page without its stylesheet"
        return [one for way in WAYS for one in self._broken(way)]

    def _broken(self, way: dict[str, str]) -> list[str]:
        looks.emulate(self.page, **way)
        return [f"axe, {way or 'as usual'}: {one}" for one in self.page.evaluate(RUN)]


def reader(chromium: Browser, address: str) -> Reader:
    """Open a page of the service's that says nothing, and run no script in its place but axe's."""
    page = chromium.new_context(bypass_csp=True).new_page()
    page.route("**/*.js?*", lambda route: route.abort())
    page.goto(f"{address}/healthz")
    page.evaluate(AXE_SCRIPT)
    assert page.evaluate(RUN), "axe finds nothing wrong with a page that says nothing"
    return Reader(page)
