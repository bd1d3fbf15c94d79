import os
import shutil

import pytest


def needs(program: str, package: str) -> None:
    """Skip the test, saying why, where ``program`` is missing; in CI, where it must not be, fail."""
    if shutil.which(program) is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed (Debian: {package})")
