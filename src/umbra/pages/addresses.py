"""Where on this site somebody may be sent. Pure."""

from urllib.parse import urlsplit

LONGEST = 1024


def local(text: str | None) -> str | None:
    r"""Return ``text`` if it is the path of a page of this very site, and ``None`` for whatever leads elsewhere.

    Browsers read ``//host`` and ``/\\host`` as another site, and leave out line breaks and tabs before they look.
    """
    if text is None or len(text) > LONGEST or not text.isascii() or not text.isprintable():
        return None
    if not text.startswith("/") or text.startswith("//") or "\\" in text or " " in text:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return None if parts.scheme or parts.netloc else text
