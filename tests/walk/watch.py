"""What a browser says and asks for while somebody walks; nothing of it may surprise."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request

COMPLAINTS = {"error", "warning"}
"""A remark is none: that a field had the focus before it was given it, where a walk is quicker than the page."""

REFUSED = "Failed to load resource: the server responded with a status of "
"""What Chromium says of a page whose status is a refusal, as a refused form's is."""


@dataclass
class Watch:
    """Every request goes to the server itself, and nothing complains in the console."""

    address: str
    requests: list[Request] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        context.on("request", self._asked)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.wrong.append(f"error in a script: {error.error}"))

    def check(self) -> None:
        assert not self.wrong, "\n".join(self.wrong)

    def _asked(self, request: Request) -> None:
        self.requests.append(request)
        if not request.url.startswith((self.address + "/", "data:")):
            self.wrong.append(f"a request to another site: {request.url}")

    def _said(self, said: ConsoleMessage) -> None:
        if said.type not in COMPLAINTS:
            return
        is_file = urlsplit(said.location["url"]).path.startswith("/static/")
        if is_file or not said.text.startswith(REFUSED):
            self.wrong.append(f"in the console: {said.text}")
