from umbra.core.errors import NotFound
from umbra.core.ids import LARGEST_ID

_LONGEST = len(str(LARGEST_ID))


def number(text: str) -> int:
    """Return the id that a path or a form names.

    Raises:
        NotFound: It is not of the form of one, so there is nothing of that id.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST) or int(text) > LARGEST_ID:
        raise NotFound
    return int(text)
