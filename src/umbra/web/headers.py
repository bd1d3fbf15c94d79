from starlette.requests import HTTPConnection


def lines(request: HTTPConnection, name: bytes) -> list[str]:
    """Return the value of every header line of a name, which ASGI gives in lower case."""
    headers = request.scope["headers"]
    if name not in dict(headers):  # most of those that are asked for are absent
        return []
    return [value.decode("latin-1") for key, value in headers if key == name]
