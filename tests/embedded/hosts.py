"""Applications that Umbra is put into: their own accounts, their own login, whatever key and engine they have."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

import httpx
import pyotp
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from sqlalchemy import Engine, Integer, String, Uuid, create_engine, event, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine

from support.people import API, BASE_URL
from umbra import Umbra
from umbra.core.clock import FixedClock
from umbra.core.events import Event, Happened
from umbra.crypto.argon import HashingPool
from umbra.crypto.keyring import new_key
from umbra.testing import CHEAP

KEYS: dict[str, tuple[TypeEngine[Any], Callable[[int], Any]]] = {
    "integer": (Integer(), lambda number: number),
    "uuid": (Uuid(), lambda number: uuid.uuid5(uuid.NAMESPACE_DNS, str(number))),
    "text": (String(40), lambda number: f"acct_{number}"),
}
"""The kinds of keys that accounts have out there, and the key of an account by its number."""

FRESH = timedelta(minutes=5)


@dataclass
class Host:
    """An application with Umbra in it."""

    app: FastAPI
    umbra: Umbra[Any]
    engine: Engine | AsyncEngine
    base: type[DeclarativeBase]
    model: Any
    key_of: Callable[[int], Any]
    events: list[Happened] = field(default_factory=list)

    async def run(self, work: Callable[[Any], Any]) -> Any:
        """Do something on a connection of the host's, and commit it."""
        if isinstance(self.engine, AsyncEngine):
            async with self.engine.begin() as connection:
                return await connection.run_sync(work)

        def here() -> Any:
            assert isinstance(self.engine, Engine)
            with self.engine.begin() as connection:
                return work(connection)

        return await asyncio.to_thread(here)

    async def add(self, number: int, handle: str) -> None:
        """Make an account, as the host does."""
        values = {"id": self.key_of(number), "handle": handle, "is_blocked": False}
        await self.run(lambda connection: connection.execute(insert(self.model).values(values)))


def engine_of(url: str) -> Engine | AsyncEngine:
    """Return what a host of this database would have: async on PostgreSQL, sync on SQLite."""
    if url.startswith("postgresql"):
        return create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    engine = create_engine(url)
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = ON"))
    return engine


def application(
    engine: Engine | AsyncEngine,
    key: str,
    clock: FixedClock,
    hashing: HashingPool,
    *,
    prefix: str = "",
    is_apart: bool = False,
    **more: Any,
) -> Host:
    """Return an application that knows who somebody is by a header, and asks Umbra for the rest.

    ``is_apart`` leaves Umbra's tables out of its metadata.
    """
    kind, key_of = KEYS[key]

    class Base(DeclarativeBase):
        pass

    class Member(Base):
        __tablename__ = "members"

        id: Mapped[Any] = mapped_column(kind, primary_key=True)
        handle: Mapped[str] = mapped_column(String(50), unique=True)
        is_blocked: Mapped[bool] = mapped_column(default=False)

    events: list[Happened] = []

    async def on_event(happened: Happened) -> None:
        events.append(happened)
        if happened.event is Event.SIGNED_OUT:
            raise ValueError("the host's own fault")

    umbra = Umbra(
        engine=engine,
        user_model=Member,
        login_field="handle",
        disabled=lambda member: member.is_blocked,
        issuer="Acme",
        encryption_keys=[new_key().reveal()],
        table_prefix=prefix,
        on_event=on_event,
        clock=clock,
        hashing=hashing,
        **more,
    )
    if not is_apart:
        umbra.tables(Base.metadata)
    app = FastAPI()
    app.include_router(umbra.router, prefix=API)
    host = Host(app, umbra, engine, Base, Member, key_of, events)

    @app.post("/enter")
    async def enter(request: Request) -> Response:
        handle = request.headers["x-single-sign-on"]
        found = await host.run(
            lambda connection: connection.execute(select(Member.__table__).where(Member.handle == handle)).one_or_none()
        )
        if found is None:
            raise HTTPException(404)
        return await umbra.sign_in(request, Member(**found._mapping))

    @app.get("/me")
    async def me(member: Annotated[Member, Depends(umbra.user())]) -> dict[str, str]:
        return {"handle": member.handle, "id": str(member.id)}

    @app.get("/vault")
    async def vault(member: Annotated[Member, Depends(umbra.user(mfa=True))]) -> dict[str, str]:
        return {"handle": member.handle}

    @app.get("/statement")
    @app.post("/payout")
    async def payout(member: Annotated[Member, Depends(umbra.user(mfa=True, within=FRESH))]) -> dict[str, str]:
        return {"handle": member.handle}

    return host


@asynccontextmanager
async def opened(url: str, key: str, clock: FixedClock, **more: Any) -> AsyncIterator[Host]:
    """Make an application on a database, and close what it has opened."""
    engine, hashing = engine_of(url), HashingPool(CHEAP, threads=2)
    yield application(engine, key, clock, hashing, **more)
    hashing.close()
    if isinstance(engine, AsyncEngine):
        await engine.dispose()
    else:
        engine.dispose()


def code_of(secret: str, clock: FixedClock) -> str:
    """Return what an app shows now."""
    return pyotp.TOTP(secret).at(clock.now())


@asynccontextmanager
async def visited(host: Host) -> AsyncIterator[httpx.AsyncClient]:
    """Run the application, and yield a browser in front of it."""
    await host.run(host.base.metadata.create_all)
    async with host.umbra.lifespan(host.app):
        transport = httpx.ASGITransport(app=host.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
            yield client
    await host.run(host.base.metadata.drop_all)
