"""What holds for every call of this router, wherever it is mounted."""

import json
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from umbra.core.errors import InvalidRequest, Refused
from umbra.web import body
from umbra.web.problems import problem

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRoute(APIRoute):
    """A call under the rules of this router."""

    def get_route_handler(self) -> Handler:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                raise form_refusal([{**one, "loc": one["loc"][1:]} for one in error.errors()]) from None

        strict = strictly(handled)

        async def with_strict_json(request: Request) -> Response:
            return await strict(StrictRequest(request.scope, request.receive))

        return with_strict_json


JSON = "application/json"
_NOT_CACHED = (b"cache-control", b"no-store")


def strictly(handle: Handler) -> Handler:
    """Put the rules around a handler: size and media type first; refusals as problems; nothing cached."""

    async def strict(request: Request) -> Response:
        try:
            is_absent = body.is_absent(request)
            request._body = b"" if is_absent else await body.read(request, JSON)  # noqa: SLF001 - where Starlette has it
            answer = await handle(request)
        except Refused as refusal:
            return problem(refusal)
        answer.raw_headers.append(_NOT_CACHED)
        return answer

    return strict


_NO_OBJECT: list[None] = []
"""Stands for a body that is no strict JSON: no form takes it, and the checks before the form's have their turn."""


class StrictRequest(Request):
    """A request whose JSON is UTF-8, names each member once, and holds no NaN."""

    async def json(self) -> Any:
        """Return the body's value, or what no form takes: to raise here would answer 422 before 401."""
        if not hasattr(self, "_json"):
            try:
                self._json = _STRICT.decode((await self.body()).decode("utf-8"))
            except (ValueError, RecursionError):
                self._json = _NO_OBJECT
        return self._json


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _no_constant(_text: str) -> None:
    raise ValueError("no JSON number")


_STRICT = json.JSONDecoder(object_pairs_hook=_each_once, parse_constant=_no_constant)


def form_refusal(errors: Iterable[Mapping[str, Any]]) -> InvalidRequest:
    """Return the refusal of a body, from what Pydantic says of it."""
    return InvalidRequest(*(_problem(one) for one in errors))


def _problem(error: Mapping[str, Any]) -> tuple[str, str]:
    """Say what is wrong where, in words of our own: Pydantic's may repeat the value, and a member's name is one."""
    location = error["loc"]
    if error["type"] == "extra_forbidden":
        return "body", "has a member that is not known here"
    if not location:
        return "body", "must be a JSON object that names each member once"
    field = str(location[0])
    match error["type"]:
        case "missing":
            return field, "is required"
        case "value_error":
            return field, "holds characters that are not text"
        case "literal_error":
            return field, "is none of the known values"
        case _:
            return field, "is of the wrong type"
