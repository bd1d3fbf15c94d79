"""Files of our own that nobody else may read, and that are never half written."""

import os
from pathlib import Path


def replace_private(path: Path, text: str) -> None:
    """Replace a file by ``text`` of ASCII, mode 0600, in one step that survives a crash."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
