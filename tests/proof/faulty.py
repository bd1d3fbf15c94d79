"""Implementations that are known to be wrong, each of them shipped by somebody, put in the place of ours.

Those of the replay guard keep whatever ours keeps and then forget what the real one forgot, in the same transaction:
what is left of it is then the other one's. Those of the budgets charge another one than ours.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import delete, update

from umbra.attempts.bound import Cost
from umbra.attempts.store import Budget, Charged
from umbra.challenge.store import Challenge
from umbra.core.events import Client
from umbra.core.ids import UserId
from umbra.db.transaction import Transaction
from umbra.signin import store
from umbra.totp.flows import Match
from umbra.totp.tables import AUTHENTICATORS, USED_CODES

LIFETIME_SECONDS = 60
"""Of the cache: two periods. A code of the next step may be replayed for three."""

_spend_step, _charge, _charge_code = store.spend_step, store.charge, store.charge_code


async def keeps_the_servers_step(tx: Transaction, user_id: UserId, match: Match, now: datetime, **more: Any) -> Any:
    """Enter the step in which the code came, not the one that it belongs to; unique by code and step."""
    done = await _spend_step(tx, user_id, _without_dead_digits(match, match.now_step), now, **more)
    await _forget_order(tx, user_id)
    return done


async def keeps_the_last_code_only(tx: Transaction, user_id: UserId, match: Match, now: datetime, **more: Any) -> Any:
    """Compare with the code that was accepted last, and with none before it."""
    done = await _spend_step(tx, user_id, _without_dead_digits(match, match.step), now, **more)
    await _forget_order(tx, user_id)
    await tx.execute(delete(USED_CODES).where(USED_CODES.c.user_id == user_id, USED_CODES.c.code != match.code))
    return done


async def keeps_codes_in_a_cache(tx: Transaction, user_id: UserId, match: Match, now: datetime, **more: Any) -> Any:
    """Remember codes for a while, counted from when they came."""
    old = now.timestamp() - LIFETIME_SECONDS
    used = await tx.execute(USED_CODES.select().where(USED_CODES.c.user_id == user_id))
    for row in used:
        if row.used_at.timestamp() <= old:
            await tx.execute(delete(USED_CODES).where(USED_CODES.c.id == row.id))
    done = await _spend_step(tx, user_id, _without_dead_digits(match, match.step), now, **more)
    await _forget_order(tx, user_id)
    return done


async def counts_guesses_of_each_challenge(
    tx: Transaction, budget: Budget, challenge: Challenge | None, now: datetime
) -> Charged:
    """Give every challenge guesses of its own, and whoever asks for another one as many again."""
    own = budget if challenge is None else replace(budget, name=f"{budget.name}:{challenge.id}")
    return await _charge(tx, own, challenge, now)


async def has_known_browsers_share_the_strangers_budget(
    tx: Transaction, user_id: UserId, cost: Cost, client: Client, challenge: Challenge | None, now: datetime
) -> Charged:
    """Charge every code to one budget, so that whoever has the password can aim the lock at its owner."""
    return await _charge_code(tx, user_id, cost, replace(client, browser=None), challenge, now)


FAULTS = {
    "the server's step in the ledger": ("spend_step", keeps_the_servers_step),
    "the last code only": ("spend_step", keeps_the_last_code_only),
    "a cache with a lifetime": ("spend_step", keeps_codes_in_a_cache),
    "a limit for each challenge": ("charge", counts_guesses_of_each_challenge),
    "a limit that strangers use up": ("charge_code", has_known_browsers_share_the_strangers_budget),
}


def put(fault: str, patch: pytest.MonkeyPatch) -> None:
    """Put an implementation with that fault in the place of ours."""
    patch.setattr(store, *FAULTS[fault])


def _without_dead_digits(match: Match, step: int) -> Match:
    """Return a match for which the rule of dead digits never asks about a step that was."""
    return replace(match, step=type(match.step)(step), now_step=type(match.step)(match.now_step + 1_000))


async def _forget_order(tx: Transaction, user_id: UserId) -> None:
    await tx.execute(update(AUTHENTICATORS).where(AUTHENTICATORS.c.user_id == user_id).values(last_step=None))
