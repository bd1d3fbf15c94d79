import importlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from examples import applications


@pytest.fixture(scope="session")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Acme's main module, on a database that its own migrations have made."""
    with applications.fresh_postgres(os.environ["UMBRA_TEST_POSTGRES"]) as url:
        given = applications.environment(url)
        applications.with_tables_like_its_own(copy("acme", tmp_path_factory), given)
        yield imported("acme.main", given)


@pytest.fixture(scope="session")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """Ledger's main module, on a file with its tables, and Umbra's apart."""
    home = copy("ledger", tmp_path_factory)
    given = applications.environment(f"sqlite:///{home}/ledger.db")
    applications.with_tables_apart(home, given)
    return imported("ledger.main", given)


def copy(name: str, factory: pytest.TempPathFactory) -> Path:
    return applications.copy_of(name, factory.mktemp("examples"))


def imported(name: str, given: Mapping[str, str]) -> ModuleType:
    """Import an application as its server would, with what it is given in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in given.items():
            patch.setenv(variable, value)
        return importlib.import_module(name)
