from starlette.requests import Request


def lines(request: Request, name: bytes) -> list[str]:
    """Return the value of every header line of a name, which ASGI gives in lower case."""
    return [value.decode("latin-1") for key, value in request.scope["headers"] if key == name]
