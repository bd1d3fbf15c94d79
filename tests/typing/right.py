"""The public API as an application is written with it. Nothing here runs; type checkers read it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Annotated, assert_type
from uuid import UUID

import httpx
from fastapi import APIRouter, Depends, FastAPI, Request, Response, WebSocket
from fastapi.responses import JSONResponse
from sqlalchemy import create_engine, func
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp

from umbra import Event, Happened, Umbra, Verdict
from umbra.testing import Kit


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    password_hash: Mapped[str]
    is_staff: Mapped[bool]
    closed_at: Mapped[datetime | None]


async def on_event(happened: Happened) -> None:
    assert_type(happened.event, Event)
    assert_type(happened.reason, str | None)


async def issue(request: Request, user: User, verdict: Verdict) -> Response:
    assert_type(verdict.session_id, str)
    assert_type(verdict.amr, tuple[str, ...])
    assert_type(verdict.expires_at, datetime)
    assert_type(verdict.enrolment_required, bool)
    assert_type(verdict.backup_codes_remaining, int | None)
    return JSONResponse({"url": str(request.url), "email": user.email})


async def session_of(connection: HTTPConnection) -> str | None:
    return connection.headers.get("x-session")


async def is_right(user: User, password: str) -> bool:
    return user.password_hash == password


umbra = Umbra(
    engine=create_async_engine("postgresql+asyncpg://"),
    user_model=User,
    login_field="email",
    login_key=lambda user: func.lower(user.email),
    password_field="password_hash",
    email_field="email",
    disabled=lambda user: user.closed_at.is_not(None),
    require_mfa=lambda user: user.is_staff,
    issuer="Acme",
    encryption_keys=["key"],
    public_url="https://acme.example",
    table_prefix="umbra_",
    on_event=on_event,
    session_idle=600,
)
assert_type(umbra, Umbra[User])
umbra.tables(Base.metadata)

with_tokens = Umbra(
    engine=create_engine("sqlite://"),
    user_model=User,
    login_field="email",
    check_password=is_right,
    on_signed_in=issue,
    identify=session_of,
    other_logins=["/oauth/token"],
    issuer="Acme",
    encryption_keys=("new", "old"),
)
assert_type(with_tokens.include_name("users", "table", {}), bool)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    async with umbra.lifespan(app):
        yield


app = FastAPI(lifespan=lifespan)
app.include_router(umbra.router, prefix="/auth")
assert_type(umbra.router, APIRouter)

SignedIn = Annotated[User, Depends(umbra.user())]
Fresh = Annotated[User, Depends(umbra.user(mfa=True, within=timedelta(minutes=5)))]
Anybody = Annotated[User | None, Depends(umbra.optional_user())]


@app.get("/me")
async def me(user: SignedIn, fresh: Fresh, anybody: Anybody) -> str:
    return user.email + fresh.email + (anybody.email if anybody else "")


@app.websocket("/news")
async def news(socket: WebSocket, user: SignedIn) -> None:
    await socket.send_text(user.email)


@app.post("/login")
async def login(request: Request, user: SignedIn) -> Response:
    assert_type(await umbra.sign_out_everywhere(request, user), int)
    assert_type(await umbra.user()(request), User)
    assert_type(await umbra.optional_user()(request), User | None)
    return await umbra.sign_in(request, user, delivery="token")


gated: ASGIApp = umbra.gate(app, mfa=True, within=timedelta(hours=1))


async def in_a_test(client: httpx.AsyncClient, sync_client: httpx.Client, user: User, umbra_kit: Kit[User]) -> None:
    kit = Kit(umbra)
    assert_type(kit, Kit[User])
    assert_type(await kit.enrol(user), tuple[str, ...])
    assert_type(await umbra_kit.code_for(user), str)
    assert_type(await kit.session_id(user, mfa=True), str)
    await kit.signed_in(client, user)
    await kit.signed_in(sync_client, user, mfa=True)
    kit.clock.move(timedelta(minutes=5))
