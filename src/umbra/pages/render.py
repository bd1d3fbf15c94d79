"""Templates into answers."""

import hashlib
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from umbra.auth import Auth
from umbra.core.secret import Secret
from umbra.pages.messages import Told
from umbra.pages.visitor import Visitor

STYLESHEET = (resources.files("umbra.pages") / "static" / "umbra.css").read_bytes()
STYLESHEET_ADDRESS = f"/static/umbra.css?{hashlib.sha256(STYLESHEET).hexdigest()[:12]}"
"""It names the content, so that a browser keeps the file for as long as it is the right one."""


def page(
    auth: Auth,
    template: str,
    *,
    told: Told | None = None,
    notice: str | None = None,
    visitor: Visitor | None = None,
    **shown: Any,
) -> HTMLResponse:
    """Return a page; the status is the refusal's, if there is one."""
    text = _TEMPLATES.get_template(template).render(
        settings=auth.settings, stylesheet=STYLESHEET_ADDRESS, told=told, notice=notice, visitor=visitor, **shown
    )
    return HTMLResponse(text, told.status if told else 200, dict(told.headers) if told else None)


def see_other(address: str) -> RedirectResponse:
    """Send the browser on, with a GET."""
    return RedirectResponse(address, 303)


def _moment(at: datetime) -> str:
    """Return a time in the one spelling that nobody reads differently."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _machine_moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _in_fours(secret: Secret[str]) -> str:
    text = secret.reveal()
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


_TEMPLATES = Environment(
    loader=PackageLoader("umbra.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters.update(moment=_moment, machine_moment=_machine_moment, in_fours=_in_fours)
