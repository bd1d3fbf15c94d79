"""Many people at once, honest and not, on two servers: what they saw is recorded, and looked at afterwards."""

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from proof import history
from proof.effort import TIMES
from proof.history import Holder, Record
from races.service import Owner, Service, outcome

pytestmark = pytest.mark.race

PEOPLE = 8
COPIES = 5
"""How often each right code is sent, through both doors: once by its owner, and else by whoever looked on."""

BACKUP_CODES, BACKUP_COPIES = 4, 3
GUESSES = 8


async def test_no_history_of_many_at_once_has_a_fault(
    service: Service, record_property: Callable[[str, object], None]
) -> None:
    sent = sum([await _crowd(service, number) for number in range(TIMES)])
    record_property("recorded requests", sent)


async def _crowd(service: Service, number: int) -> int:
    """Let a crowd of new people loose, check what they saw, and return how many requests that was."""
    honest = [await service.owner() for _ in range(PEOPLE)]
    guessed_at = [await service.owner() for _ in range(PEOPLE // 2)]
    calls = [call for owner in honest for call in [*await _codes(service, owner), *await _backup_codes(service, owner)]]
    calls += [call for owner in guessed_at for call in await _guesses(service, owner)]
    random.Random(number).shuffle(calls)  # noqa: S311 - an order, the same each time

    records = await service.at_once([_recorded(service, *call) for call in calls])

    holders = [Holder(one.user.id, tuple(one.secrets), frozenset(one.backup_codes)) for one in [*honest, *guessed_at]]
    assert [] == history.faults(holders, records)
    accepted = {(record.user_id, record.kind) for record in records if record.outcome == "accepted"}
    assert {(owner.user.id, "code") for owner in honest} <= accepted
    return len(records)


Call = tuple[Owner, str, str, dict[str, str]]
"""Whose account, the door, the token that is shown there, and the proof."""


async def _codes(service: Service, owner: Owner) -> list[Call]:
    codes = [owner.code(steps) for steps in (0, 1) for _ in range(COPIES)]
    challenges, sessions = await service.challenges(owner, len(codes)), await service.sessions(owner, len(codes))
    return [
        *((owner, "sign_in", token, {"code": code}) for token, code in zip(challenges, codes, strict=True)),
        *((owner, "step_up", token, {"code": code}) for token, code in zip(sessions, codes, strict=True)),
    ]


async def _backup_codes(service: Service, owner: Owner) -> Iterator[Call]:
    codes = owner.backup_codes[:BACKUP_CODES] * BACKUP_COPIES
    challenges = await service.challenges(owner, len(codes))
    return ((owner, "sign_in", token, {"backup_code": code}) for token, code in zip(challenges, codes, strict=True))


async def _guesses(service: Service, owner: Owner) -> list[Call]:
    challenges = await service.challenges(owner, GUESSES)
    codes = owner.wrong_codes(GUESSES)
    return [(owner, "sign_in", token, {"code": code}) for token, code in zip(challenges, codes, strict=True)]


async def _recorded(service: Service, owner: Owner, door: str, token: str, proof: dict[str, str]) -> Record:
    ((kind, text),) = proof.items()
    now = service.auth.clock.now
    sent_at = now().timestamp()
    answer = await (service.verify(token, **proof) if door == "sign_in" else service.step_up(token, **proof))
    said: dict[str, Any] = answer.json()
    as_whom = said["user"]["id"] if "user" in said else None
    return Record(
        owner.user.id,
        "code" if kind == "code" else "backup_code",
        text,
        sent_at,
        now().timestamp(),
        outcome(answer),
        as_whom,
    )
