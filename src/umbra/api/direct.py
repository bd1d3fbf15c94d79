"""The short way to a call, for the server: what FastAPI finds out at every request, found out once.

A host application includes the router and FastAPI runs it, with whatever dependencies the host adds. The server adds
none, and its addresses without a parameter need no matching: they are looked up, and what stands in front of the call
is run in the order of its signature.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Annotated, Any, get_args, get_origin

from fastapi import Request, Response
from fastapi.params import Depends
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from umbra.api.route import Handler, StrictRequest, StrictRoute, form_refusal, strictly
from umbra.web.middleware import Guard
from umbra.web.watched import ROUTE

Dependency = Callable[..., Awaitable[Any]]


def front(
    app: ASGIApp, routes: Iterable[APIRoute], *, prefix: str, guard: Guard, known: Mapping[Dependency, Any]
) -> ASGIApp:
    """Return ``app`` with the addresses of ``routes`` that have no parameter looked up in front of it.

    ``known`` holds dependencies that are the same for every request.
    """
    calls = {
        (method, prefix + route.path): strictly(_handler(route, known))
        for route in routes
        if isinstance(route, StrictRoute) and "{" not in route.path
        for method in route.methods or ()
    }

    async def looked_up(scope: Scope, receive: Receive, send: Send) -> None:
        call = calls.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if call is None:
            await app(scope, receive, send)
        else:
            scope[ROUTE] = scope["path"]
            answer = await guard.answer(call(StrictRequest(scope, receive)))
            if answer is not None:
                await answer(scope, receive, send)

    return looked_up


def _handler(route: APIRoute, known: Mapping[Dependency, Any]) -> Handler:
    """Return what runs a call: its dependencies in order, each once; then its body; then itself."""
    first = [one.dependency for one in route.dependencies if one.dependency is not None]
    wanted = [of for _, of in _parameters(route.endpoint)]
    dependencies = [*first, *(of for of in wanted if callable(of) and of is not Request)]
    steps = [
        step for step in dict.fromkeys(step for one in dependencies for step in _in_order(one)) if step not in known
    ]
    places = {of: place for place, of in enumerate((Request, *known, *steps))}
    needs = [(step, _picking([places[of] for _, of in _parameters(step)])) for step in steps]
    for of in wanted:
        if isinstance(of, TypeAdapter):
            needs.append((_reading(of, route), _picking([places[Request]])))
            places[of] = len(places)
    always = list(known.values())
    arguments = _picking([places[of] for of in wanted])
    endpoint = route.endpoint

    async def handle(request: Request) -> Response:
        values = [request, *always]
        for step, given in needs:
            values.append(await step(*given(values)))
        answer: Response = await endpoint(*arguments(values))
        return answer

    return handle


def _picking(places: Sequence[int]) -> Callable[[list[Any]], Sequence[Any]]:
    """Return what takes the values at these places out of a list."""
    if len(places) == 1:
        return itemgetter(slice(places[0], places[0] + 1))
    return itemgetter(*places) if places else lambda _: ()


def _reading(form: "TypeAdapter[Any]", route: APIRoute) -> Dependency:
    """Return what reads the body, which may be absent where the call says so."""

    async def read(request: Request) -> Any:
        if not await request.body():
            if route.body_field is not None and route.body_field.field_info.is_required():
                raise form_refusal([{"type": "missing", "loc": ()}])
            return None
        try:
            return form.validate_python(await request.json())
        except ValidationError as error:
            raise form_refusal(error.errors(include_url=False, include_context=False)) from None

    return read


def _in_order(dependency: Dependency) -> Iterator[Dependency]:
    """Yield what ``dependency`` needs, and then itself."""
    if not inspect.iscoroutinefunction(dependency):
        raise TypeError(f"a call of ours depends on coroutines only, and {dependency!r} is none")
    for _, of in _parameters(dependency):
        if of is not Request:
            yield from _in_order(of)
    yield dependency


@cache
def _parameters(function: Callable[..., Any]) -> list[tuple[str, Any]]:
    """Return each parameter with what stands for it: the request, a dependency, or the type of the body."""
    signature = inspect.signature(function, eval_str=True)
    return [(name, _standing_for(one.annotation)) for name, one in signature.parameters.items()]


def _standing_for(kind: Any) -> Any:
    if get_origin(kind) is Annotated:
        (marker,) = (one for one in get_args(kind) if isinstance(one, Depends))
        return marker.dependency
    return Request if kind in {Request, HTTPConnection} else TypeAdapter(kind)
