"""The stand-alone service: wiring, both faces, health, and clean-up in the background."""

import gc
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Scope

from umbra import __version__, restore, upkeep, wiring
from umbra import settings as settings_of
from umbra.api.caller import the_auth
from umbra.api.direct import front
from umbra.api.router import PARTS
from umbra.api.router import router as api
from umbra.auth import Auth
from umbra.core.errors import NotFound, Refused, Unavailable
from umbra.db import revision
from umbra.db.transaction import DatabaseFault
from umbra.pages import router as pages
from umbra.pages.site import Pages
from umbra.web.errors import MethodNotAllowed
from umbra.web.middleware import Guard, Guarded
from umbra.web.problems import problem
from umbra.web.watched import Watched, write_down

if TYPE_CHECKING:
    from umbra.web.metrics import Metrics

API_PREFIX = "/api/auth"
DOCUMENTS_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' https://cdn.jsdelivr.net; connect-src 'self'; "
    "style-src 'unsafe-inline' https://cdn.jsdelivr.net; img-src 'self' data: https://fastapi.tiangolo.com; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST")

FACES = APIRouter()
FACES.include_router(api, prefix=API_PREFIX)
FACES.include_router(pages.router(), include_in_schema=False)
"""What the framework finds out of each route, which takes it a millisecond, it finds out once a process."""


def create_app() -> ASGIApp:
    """Return the service that the environment describes; what ``umbra serve`` gives to uvicorn."""
    return application(wiring.build(settings_of.load()))


def application(auth: Auth) -> ASGIApp:
    """Return the service around ``auth``."""
    metrics = _metrics(auth)
    if metrics is not None:
        auth = replace(auth, sink=metrics.counting(auth.sink))
    app = FastAPI(
        title="Umbra",
        version=__version__,
        lifespan=_lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if auth.settings.api_docs else None,
        routes=FACES.routes,
    )
    app.state.umbra = auth
    app.state.umbra_metrics = metrics
    app.state.umbra_pages = Pages(auth.settings.brand, auth.settings.issuer)
    if auth.settings.api_docs:
        app.add_api_route("/docs", documents, include_in_schema=False)
    app.add_api_route("/healthz", healthz, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route("/readyz", readyz, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_exception_handler(HTTPException, _framework_refusal)
    guard = Guard(auth.settings)
    app.add_middleware(Guarded, guard=guard)  # within the framework's own, which would answer a fault and raise on
    calls = [route for part in PARTS for route in part.routes if isinstance(route, APIRoute)]
    served = front(app, calls, prefix=API_PREFIX, guard=guard, known={the_auth: auth})
    watchers = [write_down] if auth.settings.log_format == "json" else []
    if metrics is not None:
        served = metrics.in_front_of(served, guard)
        watchers.append(metrics.ended)
    return Watched(served, auth, watchers, iter_route_contexts(app.routes) if watchers else ())


def _metrics(auth: Auth) -> "Metrics | None":
    if not auth.settings.metrics:
        return None
    from umbra.web.metrics import Metrics  # noqa: PLC0415 - who is asked for no metrics does not load the library

    return Metrics(auth)


async def documents() -> Response:
    """Show the interactive documents; their script comes from elsewhere, so this page alone allows that."""
    shown = get_swagger_ui_html(openapi_url="/openapi.json", title="Umbra")
    shown.headers["Content-Security-Policy"] = DOCUMENTS_POLICY
    return shown


async def healthz() -> Response:
    """Say that the process lives."""
    return _state(200, status="alive")


async def readyz(request: Request) -> Response:
    """Say whether the database is reached, its schema current, and its canary alive."""
    auth: Auth = request.app.state.umbra
    try:
        checks = {
            "schema": await revision.is_current(auth.db),
            "keys": await upkeep.is_canary_alive(auth),
        }
    except (Unavailable, DatabaseFault):
        return _state(503, status="not ready", database=False)
    is_ready = all(checks.values())
    return _state(200 if is_ready else 503, status="ready" if is_ready else "not ready", database=True, **checks)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    auth: Auth = app.state.umbra
    await upkeep.check_ready(auth)
    await restore.keep_mark(auth)
    _settle()
    try:
        async with _work_beside(auth, app.state.umbra_metrics):
            yield
    finally:
        auth.hashing.close()
        await auth.db.close()


@asynccontextmanager
async def _work_beside(auth: Auth, metrics: "Metrics | None") -> AsyncIterator[None]:
    """Do regularly, beside the requests, what has to be done."""
    regularly = [restore.keeping_regularly(auth)]
    if auth.settings.sends_mail:
        from umbra.mail import flows as mail  # noqa: PLC0415 - who sends no mail does not load what writes it

        regularly += [mail.sending_regularly(auth)]
    if metrics is None:
        regularly += [upkeep.cleaning_up_regularly(auth)]
    else:
        regularly += [upkeep.cleaning_up_regularly(auth, metrics.cleaned), metrics.looking_regularly()]
    async with AsyncExitStack() as stack:
        for work in regularly:
            await stack.enter_async_context(work)
        yield


def _settle() -> None:
    """Take what start-up has made out of what is looked over for garbage, which would stop everybody for 50 ms."""
    gc.collect()
    gc.freeze()
    gc.enable()


async def _framework_refusal(request: Request, error: Exception) -> Response:
    """Answer what the framework refuses by itself in the same form as everything else."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    refusal: Refused = MethodNotAllowed() if status == 405 else NotFound()  # noqa: PLR2004
    answer = problem(refusal)
    if isinstance(refusal, MethodNotAllowed):
        answer.headers["Allow"] = ", ".join(_methods_at(request))
    return answer


def _methods_at(request: Request) -> list[str]:
    """Return every method of an address; the framework names those of one route only."""
    return [method for method in METHODS if _knows(request.app, {**request.scope, "method": method})]


def _knows(app: FastAPI, scope: Scope) -> bool:
    return any(route.matches(scope)[0] is Match.FULL for route in app.routes)


def _state(code: int, **members: str | bool) -> Response:
    return Response(json.dumps(members), code, {"Cache-Control": "no-store"}, media_type="application/json")
