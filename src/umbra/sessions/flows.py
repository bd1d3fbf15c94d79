"""Who a request comes from, and the sessions that an account has."""

from datetime import timedelta

from umbra.auth import Auth
from umbra.core.errors import NotFound
from umbra.core.events import Client, Event, watching
from umbra.core.ids import SessionId
from umbra.crypto import tokens
from umbra.sessions import store
from umbra.sessions.errors import NotAuthenticated
from umbra.sessions.session import Current, Session
from umbra.sessions.store import Limits
from umbra.users import store as users

TOUCH_AFTER = timedelta(minutes=1)
"""A use is noted at most this often: most requests then only read."""


def limits(auth: Auth) -> Limits:
    """Return how long a session lives here."""
    return Limits(auth.settings.session_idle, auth.settings.session_lifetime)


async def current(auth: Auth, token: str | None) -> Current:
    """Return the session that ``token`` stands for, and note that it was used.

    Raises:
        NotAuthenticated: It stands for none that is alive.
    """
    token_hash = tokens.SESSION.hash_of(token) if token else None
    if token_hash is None:
        raise NotAuthenticated
    now = auth.clock.now()
    idle = auth.settings.session_idle
    async with auth.db.read() as tx:
        found = await store.find(tx, token_hash, now, idle)
    unused = now - found.session.last_seen_at
    if unused >= TOUCH_AFTER or unused * 20 >= idle:
        async with auth.db.single() as tx:
            await store.touch(tx, found.session.id, now)
    return found


async def listed(auth: Auth, me: Current) -> list[Session]:
    """Return the sessions of the account."""
    async with auth.db.read() as tx:
        return await store.alive(tx, me.user.id, auth.clock.now(), auth.settings.session_idle)


async def sign_out(auth: Auth, me: Current, client: Client) -> None:
    """End this session."""
    async with watching(auth.sink, Event.SIGNED_OUT, client, me.user.id), auth.db.begin() as tx:
        await store.end(tx, me.user.id, me.session.id, auth.clock.now(), auth.settings.session_idle)


async def end(auth: Auth, me: Current, session_id: SessionId, client: Client) -> None:
    """End one of the account's sessions.

    Raises:
        NotFound: The account has no such session.
    """
    async with watching(auth.sink, Event.SESSION_ENDED, client, me.user.id), auth.db.begin() as tx:
        if not await store.end(tx, me.user.id, session_id, auth.clock.now(), auth.settings.session_idle):
            raise NotFound


async def end_others(auth: Auth, me: Current, client: Client) -> int:
    """End all of the account's sessions but this one, and return how many there were."""
    async with watching(auth.sink, Event.SESSIONS_ENDED, client, me.user.id), auth.db.begin() as tx:
        await users.hold(tx, me.user.id)  # as everybody does who ends many sessions: never two crosswise
        return await store.end_all(
            tx, me.user.id, auth.clock.now(), idle=auth.settings.session_idle, besides=me.session.id
        )
