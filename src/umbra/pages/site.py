"""The pages of one installation, and as one request sees them: their addresses, their language, their looks."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PackageLoader, PrefixLoader, StrictUndefined
from starlette.routing import NoMatchFound

from umbra import words
from umbra.auth import Auth
from umbra.brand import Brand, logo_of, stylesheet_of
from umbra.core import agents
from umbra.core.errors import Misconfigured, Refused
from umbra.core.secret import Secret
from umbra.pages import messages
from umbra.pages.addresses import local
from umbra.pages.forms import Form
from umbra.pages.messages import Told, Words
from umbra.pages.visitor import TheAuth, Visitor
from umbra.sessions.errors import NotAuthenticated, StepUpRequired
from umbra.signin import notices
from umbra.totp.errors import NotEnabled

IN_SCOPE = "umbra.pages"
"""Where a host's router puts its pages; the server leaves its own in the application."""


CODE_STEP = "umbra.code_step"
CODE_STEP_PATH = "/sign-in/code"
"""The route by which a host's own login finds where the pages are mounted."""


@dataclass(frozen=True, slots=True)
class HostsOwn:
    """What the application around the pages does itself, and at which addresses of its site.

    Its login may be its own though we can have its passwords looked at, where one is asked for besides a code.
    """

    accounts: bool = False
    login: bool = False
    passwords: bool = False
    sign_in: str | None = None
    new_password: str | None = None


NOTHING = HostsOwn()
"""The server's pages do everything themselves."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages refer to; its address names its content, so that a kept one is never an old one."""

    content: bytes = field(repr=False)
    media_type: str
    mark: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mark", hashlib.sha256(self.content).hexdigest()[:12])


class Pages:
    """How the pages of an installation look and read."""

    def __init__(
        self, brand: Brand, issuer: str, *, hosts_own: HostsOwn = NOTHING, templates: Path | None = None
    ) -> None:
        self.name = brand.name or issuer
        self.hosts_own = hosts_own
        self.assets = _assets(brand)
        self.words = {language: words.catalogue(language) for language in words.LANGUAGES}
        self._environments = {language: _environment(templates, language) for language in self.words}

    def render(self, template: str, language: str, shown: Mapping[str, Any]) -> str:
        """Return a template as a page in a language."""
        return self._environments[language].get_template(template).render(pages=self, language=language, **shown)


@dataclass(frozen=True, slots=True)
class Site:
    """The pages as one request sees them. Addresses are paths: what the request calls the host is not asked."""

    auth: Auth
    pages: Pages
    base: str
    language: str

    @property
    def words(self) -> Words:
        """The texts in the reader's language."""
        return self.pages.words[self.language]

    def path(self, path: str, **query: str | None) -> str:
        """Return the address of a page, wherever the pages are mounted."""
        given = {name: value for name, value in query.items() if value is not None}
        return self.base + path + ("?" + urlencode(given) if given else "")

    def asset(self, name: str) -> str:
        """Return the address of a file."""
        return f"{self.base}/static/{name}?{self.pages.assets[name].mark}"

    def page(
        self,
        template: str,
        *,
        told: Told | None = None,
        notice: str | None = None,
        visitor: Visitor | None = None,
        is_secret: bool = False,
        **shown: Any,
    ) -> HTMLResponse:
        """Return a page; the status is the refusal's, if there is one.

        From a page that holds a secret no address is passed on. Browsers then send ``Origin: null``, so it has no form
        that posts.
        """
        more = {"told": told, "notice": notice, "visitor": visitor, "is_secret": is_secret, **shown}
        text = self.pages.render(template, self.language, {"site": self, "settings": self.auth.settings, **more})
        answer = HTMLResponse(text, told.status if told else 200, dict(told.headers) if told else None)
        answer.headers["Content-Language"] = self.language
        if is_secret:
            answer.headers["Referrer-Policy"] = "no-referrer"
        return answer

    def see_other(self, path: str, **query: str | None) -> RedirectResponse:
        """Send the browser on to a page, with a GET."""
        return go_on(self.path(path, **query))

    def to_sign_in(self, next_: str | None = None, **query: str | None) -> RedirectResponse:
        """Send the browser to where people sign in."""
        sign_in = self.sign_in_page
        more = {name: value for name, value in (query | {"next": next_}).items() if value is not None}
        return go_on(sign_in + ("&" if "?" in sign_in else "?") + urlencode(more) if more else sign_in)

    @property
    def sign_in_page(self) -> str:
        """The address of the page on which people sign in, the host's if that is the host's business."""
        return self.pages.hosts_own.sign_in or self.path("/sign-in")

    def helping(self, request: Request, refusal: Refused) -> Response | None:
        """Return the way to what a page of the host's wants first, and back to it; ``None`` where we have none."""
        query = request.scope["query_string"].decode("latin-1")
        next_ = local(quote(request.scope["path"]) + (f"?{query}" if query else ""))
        match refusal:
            case NotAuthenticated() if self.has_sign_in_page:
                return self.to_sign_in(next_)
            case StepUpRequired():
                return self.see_other("/security/step-up", next=next_)
            case NotEnabled():
                return self.see_other("/security", notice="enrolment")
            case _:
                return None

    @property
    def mails_links(self) -> bool:
        """Say whether whoever has forgotten their password is mailed a link."""
        return notices.is_on(self.auth)

    @property
    def has_sign_in_page(self) -> bool:
        """Say whether we know where people sign in."""
        return self.pages.hosts_own.sign_in is not None or not self.pages.hosts_own.login

    def tell(self, refusal: Refused, place: str | None = None, form: Form | None = None) -> Told:
        """Put a refusal of a form into words."""
        address = self.auth.settings.public_url + self.path("/security")
        return messages.tell(refusal, self.words, self.auth.clock.now(), address, place=place, form=form)


def go_on(address: str) -> RedirectResponse:
    """Send the browser on, with a GET."""
    return RedirectResponse(address, 303)


def site_of(request: Request, auth: Auth) -> Site:
    """Return the pages as a request sees them."""
    pages = request.scope.get(IN_SCOPE) or request.app.state.umbra_pages
    assert isinstance(pages, Pages)  # noqa: S101 - a narrowing, and a mistake in the wiring
    return Site(auth, pages, _base(request), _language(request))


def mounted(request: Request, auth: Auth, pages: Pages | None) -> Site:
    """Return the pages as a request to another page of the application sees them.

    Raises:
        Misconfigured: The application has none.
    """
    if pages is None:
        raise Misconfigured("there are no pages: give Umbra pages=True")
    try:
        path = request.app.url_path_for(CODE_STEP)
    except NoMatchFound:
        raise Misconfigured("the pages are not in this application: include umbra.router") from None
    base = request.scope.get("root_path", "") + path.removesuffix(CODE_STEP_PATH)
    return Site(auth, pages, quote(base), _language(request))


def looks(request: Request) -> bool:
    """Say whether somebody looks at a page, rather than a program calls."""
    return request.method == "GET" and "text/html" in request.headers.get("accept", "")


async def the_site(request: Request, auth: TheAuth) -> Site:
    """Return the pages as a request sees them."""
    return site_of(request, auth)


TheSite = Annotated[Site, Depends(the_site)]


def _language(request: Request) -> str:
    return words.negotiated(request.headers.get("accept-language", ""))


def _base(request: Request) -> str:
    """Return the path below which the pages are mounted: what the request's path has in front of the route's own."""
    own = request.scope["route"].path_format.format(**request.path_params)
    before = request.scope["path"].removesuffix(own)
    root = request.scope.get("root_path", "")
    return quote(before if before.startswith(root) else root + before)


def _assets(brand: Brand) -> dict[str, Asset]:
    static = resources.files("umbra.pages") / "static"
    style = (static / "umbra.css").read_text("utf-8") + (stylesheet_of(brand.accent) if brand.accent else "")
    assets = {
        "umbra.css": Asset(style.encode(), "text/css"),
        "umbra.js": Asset((static / "umbra.js").read_bytes(), "text/javascript"),
    }
    if brand.logo is not None:
        logo = logo_of(brand.logo)
        assets["logo"] = Asset(logo.content, logo.media_type)
    return assets


@lru_cache(maxsize=2 * len(words.LANGUAGES))
def _environment(templates: Path | None, language: str) -> Environment:
    """Return what renders templates in a language, and has compiled them once for every installation here.

    A host's own come first, and find ours below ``umbra/``.
    """
    ours = PackageLoader("umbra.pages")
    folders: list[BaseLoader] = [] if templates is None else [FileSystemLoader(templates)]
    environment = Environment(
        loader=ChoiceLoader([*folders, ours, PrefixLoader({"umbra": ours})]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(words.catalogue(language), newstyle=True)  # type: ignore[attr-defined]  # the extension's
    environment.filters |= {
        "agent": agents.named,
        "in_fours": _in_fours,
        "machine_moment": _machine_moment,
        "moment": _moment,
        "time_of_day": _time_of_day,
    }
    return environment


def _moment(at: datetime) -> str:
    """Return a time in the one spelling that nobody reads differently."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _time_of_day(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%H:%M:%S UTC")


def _machine_moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _in_fours(secret: Secret[str]) -> str:
    text = secret.reveal()
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))
