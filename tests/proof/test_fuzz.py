"""Whatever is sent, to whichever call and by whomever, is answered in the contract's form and repeated nowhere."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core import NotSet
from schemathesis.core.result import Ok

from proof.conftest import Counting
from proof.effort import trying
from proof.histories import Enrol
from proof.world import Life, World, stage
from support.people import API, BASE_URL
from umbra.api.router import router
from umbra.core.errors import InvalidRequest
from umbra.settings import Settings
from umbra.web import problems
from umbra.web.middleware import Guard

REQUESTS = 60
"""How many for each kind of caller and database, times the effort."""

CALLERS = ("nobody", "signed in", "enrolled")
ECHO_CHARACTERS = 8
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
def test_no_request_makes_a_fault_or_is_repeated(
    database_url: str, tmp_path: Path, counting: Counting, caller: str
) -> None:
    with stage(database_url, tmp_path) as here:
        life = here.runner.run(somebody(here.world, is_enrolled=caller == "enrolled"))

        @trying(REQUESTS)
        @given(cases)
        def is_answered(case: Case[Any]) -> None:
            answer = here.runner.run(answer_to(life, case, is_known=caller != "nobody"))
            assert_of_the_form(answer)
            if answer.is_error:
                assert [] == [text for text in texts_of(case) if is_repeated(text, answer)]

        is_answered()
        counting({"requests": here.world.requests})


def test_a_repeated_text_would_be_noticed() -> None:
    said = {"detail": "No \u00fcmlaut like that", "status": 422}
    answer = httpx.Response(422, json=said, headers={"Location": "/somewhere"})
    assert [True, True, False] == [is_repeated(text, answer) for text in ("\u00fcmlaut", "where", "umlaut")]


def test_what_is_said_anyway_is_no_repetition_and_what_is_added_is_one() -> None:
    refused = problems.problem(InvalidRequest(("a field", "is strange")))
    answer = httpx.Response(422, content=bytes(refused.body))
    assert [False, True] == [is_repeated(text, answer) for text in ("Invalid ", "strange")]


async def somebody(there: World, *, is_enrolled: bool) -> Life:
    life = await there.begin()
    if is_enrolled:
        await life.live(Enrol())
    return life


async def answer_to(life: Life, case: Case[Any], *, is_known: bool) -> httpx.Response:
    """Send a request, with a session of its own where somebody is signed in."""
    headers = {"Authorization": f"Bearer {await life.session()}"} if is_known else {}
    if case.media_type:
        headers["Content-Type"] = case.media_type
    life.world.requests += 1
    client, url = next(life.world.clients), BASE_URL + case.formatted_path
    return await client.request(case.method, url, content=body_of(case), headers=headers)


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
    """Say whether an answer, or one of its headers, has the text, and would not have it whatever is sent."""
    said = [*texts_in(answer.json()), *answer.headers.values(), answer.text]
    anyway = said_anyway(answer.json().get("reason"))
    return text not in NAMES and any(text in one for one in said) and not any(text in one for one in anyway)


def said_anyway(reason: str | None) -> list[str]:
    """Return what every answer with a reason says: Hypothesis takes texts from our source, these among them."""
    headers = [value.decode() for _, value in Guard(Settings()).headers]
    if reason is None:
        return headers
    plain = problems.problem_of(reason)
    return [*headers, *plain.headers.values(), *texts_in(json.loads(bytes(plain.body)))]


NAMES = {name for one in document()["components"]["schemas"].values() for name in one.get("properties", {})}
