"""Whatever is sent, to whichever call and by whomever, is answered in the contract's form and repeated nowhere."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core import NotSet
from schemathesis.core.result import Ok

from proof.histories import Enrol
from proof.world import Life, World, world
from support.people import API, BASE_URL
from umbra.api.router import router
from umbra.web import problems

REQUESTS = int(os.environ.get("UMBRA_PROOF_REQUESTS", "150"))
"""How many for each kind of caller and database; ``make proof`` asks for more."""

QUICK = settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))

CALLERS = ("nobody", "signed in", "enrolled")
ECHO_CHARACTERS = 4
"""A text that long does not stand in an answer by chance, unless it is one of our own words."""


def document() -> dict[str, Any]:
    app = FastAPI()
    app.include_router(router, prefix=API)
    return app.openapi()


FOUND = list(schemathesis.openapi.from_dict(document()).get_all_operations())
OPERATIONS = [found.ok() for found in FOUND if isinstance(found, Ok)]
cases = st.one_of([operation.as_strategy(generation_mode=mode) for operation in OPERATIONS for mode in GenerationMode])


def test_every_operation_of_the_document_is_tried() -> None:
    in_document = {(method, path) for path, methods in document()["paths"].items() for method in methods}
    assert in_document == {(operation.method, operation.path) for operation in OPERATIONS}


@pytest.mark.parametrize("caller", CALLERS)
def test_no_request_makes_a_fault_or_is_repeated(database_url: str, tmp_path: Path, caller: str) -> None:
    with asyncio.Runner() as runner:
        opened = world(database_url, tmp_path)
        there = runner.run(opened.__aenter__())
        life = None if caller == "nobody" else runner.run(somebody(there, is_enrolled=caller == "enrolled"))

        @settings(QUICK, max_examples=REQUESTS)
        @given(cases)
        def is_answered(case: Case[Any]) -> None:
            answer = runner.run(answer_to(there, life, case))
            assert_of_the_form(answer)
            if answer.is_error:
                assert [] == [text for text in texts_of(case) if is_repeated(text, answer)]

        is_answered()
        runner.run(opened.__aexit__(None, None, None))


def test_a_repeated_text_would_be_noticed() -> None:
    said = {"detail": "No \u00fcmlaut like that", "status": 422}
    answer = httpx.Response(422, json=said, headers={"Location": "/somewhere"})
    assert [True, True, False] == [is_repeated(text, answer) for text in ("\u00fcmlaut", "where", "umlaut")]


async def somebody(there: World, *, is_enrolled: bool) -> Life:
    life = await there.begin()
    if is_enrolled:
        await life.live(Enrol())
    return life


async def answer_to(there: World, life: Life | None, case: Case[Any]) -> httpx.Response:
    """Send a request, with a session of its own where somebody is signed in."""
    headers = {"Authorization": f"Bearer {await life.session()}"} if life else {}
    if case.media_type:
        headers["Content-Type"] = case.media_type
    content = body_of(case)
    client = next(there.clients)
    return await client.request(case.method, BASE_URL + case.formatted_path, content=content, headers=headers)


def body_of(case: Case[Any]) -> bytes | None:
    if isinstance(case.body, NotSet):
        return None
    return case.body if isinstance(case.body, bytes) else json.dumps(case.body).encode()


def assert_of_the_form(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if not answer.is_error:
        assert 204 == answer.status_code or isinstance(answer.json(), dict)
        return
    said = answer.json()
    assert "application/problem+json" == answer.headers["Content-Type"]
    assert {"type", "title", "status", "detail", "reason"} <= said.keys()
    assert (answer.status_code, f"urn:umbra:reason:{said['reason']}") == (said["status"], said["type"])
    assert said["reason"] in problems.ANSWERS


def texts_of(case: Case[Any]) -> Iterator[str]:
    """Yield every text of a request that is long enough to be told from chance."""
    body = None if isinstance(case.body, NotSet | bytes) else case.body
    for text in (*texts_in(body), *map(str, case.path_parameters.values())):
        if len(text) >= ECHO_CHARACTERS:
            yield text


def texts_in(value: Any) -> Iterator[str]:
    match value:
        case dict():
            for name, member in value.items():
                yield from (name, *texts_in(member))
        case list():
            for member in value:
                yield from texts_in(member)
        case str():
            yield value
        case bool() | None:
            pass
        case _:
            yield str(value)


def is_repeated(text: str, answer: httpx.Response) -> bool:
    """Say whether an answer, or one of its headers, has the text, and it is none of our own words."""
    said = [*texts_in(answer.json()), *answer.headers.values(), answer.text]
    return text not in OUR_WORDS and any(text in one for one in said)


OUR_WORDS = {name for one in document()["components"]["schemas"].values() for name in one.get("properties", {})}
