"""Every call, state of an account and level of session: what is written down is what is answered, and is right."""

import asyncio

import pytest
from fastapi.routing import APIRoute

from proof import matrix
from proof.conftest import Counting
from proof.matrix import Matrix
from umbra.api.router import PARTS

WITHOUT_A_SESSION = ("POST /register", "POST /login", "POST /totp-verify", "POST /password/reset", "POST /undo")


@pytest.fixture(scope="module")
def cells() -> Matrix:
    return asyncio.run(matrix.surveyed())


def test_the_state_matrix_has_every_call() -> None:
    routes = [route for part in PARTS for route in part.routes if isinstance(route, APIRoute)]
    calls = {f"{method} {route.path}" for route in routes for method in route.methods or ()}
    assert calls == {call.partition(",")[0] for call in matrix.CALLS}


def test_the_state_matrix_is_what_the_service_answers(cells: Matrix, counting: Counting) -> None:
    counting({"cells": len(cells)})
    assert matrix.PAGE.read_text() == matrix.page(cells), "make matrix writes it anew"


def test_whoever_has_no_session_gets_nowhere_behind_one(cells: Matrix) -> None:
    inside = {
        cell: answer
        for cell, answer in cells.items()
        if not cell[1].startswith(WITHOUT_A_SESSION) and (cell[0] == "disabled" or cell[2] in matrix.WITHOUT)
    }
    assert {"401 not_authenticated"} == set(inside.values())


def test_whoever_is_enrolled_is_let_in_by_a_second_factor_alone(cells: Matrix) -> None:
    for state in ("enrolled", "waiting", "locked"):
        assert {"200 mfa_required"} == {cells[state, "POST /login", level] for level in matrix.LEVELS}
        assert {"200 signed_in"} == {cells[state, "POST /totp-verify, a backup code", level] for level in matrix.LEVELS}
        assert {"403 step_up_required", "401 not_authenticated"} == {
            cells[state, "POST /step-up, the password", level] for level in matrix.LEVELS
        }
