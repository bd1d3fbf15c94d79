from umbra.audit import store
from umbra.auth import Auth


async def reasons_of(auth: Auth, event: str) -> list[str | None]:
    """Return the reasons of every ``event`` in the audit log, the oldest first; done is ``None``."""
    events = await store.newest(auth.db, 1_000)
    return [one.reason for one in reversed(events) if one.event == event]


async def events_of(auth: Auth) -> list[tuple[str, str | None]]:
    """Return every event of the audit log with its reason, the oldest first."""
    return [(one.event, one.reason) for one in reversed(await store.newest(auth.db, 1_000))]
