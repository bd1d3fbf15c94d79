from starlette.requests import HTTPConnection


def lines(request: HTTPConnection, name: bytes) -> list[str]:
    """Return the value of every header line of a name, which ASGI gives in lower case."""
    return [value.decode("latin-1") for key, value in request.scope["headers"] if key == name]
