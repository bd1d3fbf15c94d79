import importlib
import os
from collections.abc import Iterator
from types import ModuleType

import pytest

from examples import applications


@pytest.fixture(scope="session")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Acme's main module, on a database that its own migrations have made."""
    with (
        applications.fresh_postgres(os.environ["UMBRA_TEST_POSTGRES"]) as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        given = applications.environment(url)
        applications.migrated(applications.copy_of("acme", tmp_path_factory.mktemp("acme")), given)
        for variable, value in given.items():
            patch.setenv(variable, value)
        yield importlib.import_module("acme.main")
