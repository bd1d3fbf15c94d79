"""Routes of a host that look as if they signed people in on their own, past the second factor."""

import inspect
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from types import CodeType
from typing import Any

from fastapi.routing import RouteContext

WAY_IN = "sign_in"
"""Whoever names it has found the one way in."""

OURS = "umbra."

_WAYS_IN = re.compile(r"(^|[/_-])(log-?in|sign-?in|auth(enticate)?|tokens?|sessions?)([/_-]|$)")
_WAYS_BACK = re.compile(r"(^|[/_-])(sso|oauth2?|oidc|saml|callback|magic(-?link)?)([/_-]|$)")
"""Where a browser comes back to, with a GET, from wherever it has been recognised."""


def among(routes: Iterable[RouteContext], *, besides: Collection[str]) -> Iterator[str]:
    """Yield each such route; it is a guess from the path, and from what the function behind it names."""
    for route in routes:
        endpoint = route.endpoint
        if endpoint is None or endpoint.__module__.startswith((OURS, "fastapi.")) or route.path in besides:
            continue
        methods = (route.methods or set()) - {"HEAD"}
        if _looks_like_it((route.path or "").lower(), methods) and not _names(endpoint, WAY_IN):
            yield f"{', '.join(sorted(methods))} {route.path}"


def _looks_like_it(path: str, methods: set[str]) -> bool:
    return bool(_WAYS_BACK.search(path) or (methods - {"GET"} and _WAYS_IN.search(path)))


def _names(function: Callable[..., Any], name: str) -> bool:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return isinstance(code, CodeType) and name in _all_names(code)


def _all_names(code: CodeType) -> set[str]:
    """Return what a function names, and what those inside it name."""
    inner = (one for one in code.co_consts if isinstance(one, CodeType))
    return {*code.co_names}.union(*map(_all_names, inner))
