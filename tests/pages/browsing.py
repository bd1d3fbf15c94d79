"""A browser without script, as far as tests need one; every page that it opens must be sound."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from importlib import resources

import httpx

from support.people import BASE_URL
from umbra.brand import LARGEST_LOGO_BYTES
from umbra.words import LANGUAGES

SENT_BY_BROWSERS = {"Origin": BASE_URL, "Sec-Fetch-Site": "same-origin"}
REFERENCES = ("aria-describedby", "aria-labelledby", "for")
STATIC = resources.files("umbra.pages") / "static"
FILES_BYTES = sum(len(file.read_bytes()) for file in STATIC.iterdir()) + LARGEST_LOGO_BYTES
MOST_BYTES = 50_000
"""What a page may weigh with everything that comes with it, uncompressed."""
VOID = {"meta", "link", "input", "img", "br"}


@dataclass
class FormOnPage:
    action: str | None
    method: str
    values: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """What stands on a page, and what is wrong with it."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.answer = answer
        self.text = answer.text
        self.title = ""
        self.headings: list[str] = []
        self.errors: list[str] = []
        self.language = ""
        self.notices: list[str] = []
        self.codes: list[str] = []
        self.forms: list[FormOnPage] = []
        self.described: set[str] = set()
        self.open_details = 0
        self.images: list[str] = []
        self.links: list[str] = []
        self.problems: list[str] = []
        self._ids: list[str] = []
        self._inputs: list[str] = []
        self._labels: set[str] = set()
        self._referenced: set[str] = set()
        self._open: list[tuple[str, list[str] | None, list[str]]] = []
        self.feed(answer.text)
        self.close()
        self._conclude()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._note_soundness(tag, given)
        match tag:
            case "form":
                self.forms.append(FormOnPage(given.get("action"), given.get("method", "get")))
            case "input":
                self._note_input(given)
            case "img":
                self.images.append(given["src"])
            case "a":
                self.links.append(given["href"])
                self._referenced |= {given["href"][1:]} if given["href"].startswith("#") else set()
            case "details":
                self.open_details += "open" in given
        if tag not in VOID:
            is_error = tag == "li" and any("problem" in classes for _, _, classes in self._open)
            lists = {"h1": self.headings, "code": self.codes} | ({"li": self.errors} if is_error else {})
            kept = self.notices if given.get("role") == "status" else lists.get(tag)
            if kept is not None:
                kept.append("")
            self._open.append((tag, kept, given.get("class", "").split()))

    def handle_endtag(self, tag: str) -> None:
        opened, _, _ = self._open.pop()
        if opened != tag:
            self.problems.append(f"</{tag}> closes <{opened}>")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] == "title":
            self.title += data
        if self._open and self._open[-1][0] == "script":
            self.problems.append("a script stands on the page")
        for _, kept, _ in self._open:
            if kept is not None:
                kept[-1] += data

    def form(self, action: str | None) -> FormOnPage:
        return next(one for one in self.forms if one.action == action)

    def _note_soundness(self, tag: str, given: dict[str, str]) -> None:
        if tag == "style" or "style" in given or any(name.startswith("on") for name in given):
            self.problems.append(f"<{tag}> holds script or style")
        if tag == "script" and "/static/umbra.js?" not in given.get("src", ""):
            self.problems.append("a script that is not ours")
        if tag == "html":
            self.language = given.get("lang", "")
        self._ids += [given["id"]] if "id" in given else []
        for name in REFERENCES:
            self._referenced |= set(given.get(name, "").split())
        if tag == "label":
            self._labels.add(given["for"])

    def _conclude_forms(self) -> None:
        if is_secret(self.answer) and any(form.method == "post" for form in self.forms):
            self.problems.append("a form whose origin browsers will not name")
        if unlabelled := set(self._inputs) - self._labels:
            self.problems.append(f"no label for {unlabelled}")

    def _note_input(self, given: dict[str, str]) -> None:
        if "name" in given:
            values = self.forms[-1].values
            if given["name"] in values:
                self.problems.append(f"two fields {given['name']} in one form")
            values[given["name"]] = given.get("value", "")
        if given["type"] == "hidden" or "hidden" in given:
            return
        self._inputs.append(given["id"])
        if given.get("aria-invalid") == "true":
            assert f"{given['id']}-error" in given["aria-describedby"].split()
            self.described.add(given["name"])
        if "autocomplete" not in given and given["type"] != "checkbox":
            self.problems.append(f"{given['name']} has no autocomplete")
        if given["type"] == "password" and "value" in given:
            self.problems.append("a password stands on the page")

    def _conclude(self) -> None:
        self.notices = [text for text in self.notices if text.strip()]  # one that is empty waits for the script
        for kept in (self.headings, self.errors, self.notices, self.codes):
            kept[:] = [" ".join(text.split()) for text in kept]
        if len(self.headings) != 1:
            self.problems.append("not one h1")
        if not self.title.strip() or self.title.startswith(" "):
            self.problems.append("no title")
        if self.title.startswith(("Error: ", "Fehler: ")) != bool(self.errors):
            self.problems.append("a title that does not say whether something was refused")
        if self.language not in LANGUAGES or self.answer.headers["Content-Language"] != self.language:
            self.problems.append("no language")
        if len(set(self._ids)) != len(self._ids):
            self.problems.append("an id stands twice")
        if missing := self._referenced - set(self._ids):
            self.problems.append(f"nothing has the ids {missing}")
        self._conclude_forms()
        if self._open:
            self.problems.append("a tag is left open")


def is_secret(answer: httpx.Response) -> bool:
    """Say whether a page passes no address on, which it does when it holds a secret."""
    return answer.headers["Referrer-Policy"] == "no-referrer"


@dataclass
class Browser:
    """Opens pages and sends their forms, with what their hidden fields hold."""

    client: httpx.AsyncClient

    async def open(self, address: str, status: int = 200) -> Page:
        return sound(await self.client.get(address), status)

    async def send(
        self,
        page: Page,
        action: str | None,
        fields: Mapping[str, str] | None = None,
        /,
        *,
        number: int = 0,
        **more: str,
    ) -> httpx.Response:
        """Send a form of the page; only fields that it has can be filled in."""
        typed = {**(fields or {}), **more}
        form = [one for one in page.forms if one.action == action and typed.keys() <= one.values.keys()][number]
        assert "post" == form.method
        address = action or str(page.answer.request.url)
        return await self.client.post(address, data={**form.values, **typed}, headers=SENT_BY_BROWSERS)

    async def follow(self, answer: httpx.Response) -> Page:
        """Go where a form's answer sends the browser."""
        assert 303 == answer.status_code, answer.text
        return await self.open(answer.headers["Location"])


def sound(answer: httpx.Response, status: int = 200) -> Page:
    """Read an answer that must be a page, and a flawless one."""
    assert status == answer.status_code, answer.text
    assert "text/html; charset=utf-8" == answer.headers["Content-Type"]
    assert "no-store" == answer.headers["Cache-Control"]
    assert "script-src 'self'; style-src 'self'; " in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert MOST_BYTES > len(answer.content) + FILES_BYTES
    page = Page(answer)
    assert [] == page.problems
    return page
