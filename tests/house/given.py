"""What Python in the documents takes as given: an application like the README's, and who asks something of it.

``test_code_blocks`` puts each block into a coroutine of its own below this text. Names without a value get one there.
"""

import asyncio
import os
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from typing import Annotated, Any

import argon2
import httpx
import jwt
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from sqlalchemy import create_engine, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.requests import HTTPConnection

from umbra import Brand, Event, Happened, Umbra, Verdict
from umbra.crypto.keyring import new_key
from umbra.testing import Kit

__all__ = [
    "Annotated", "Brand", "Event", "HTMLResponse", "HTTPConnection", "HTTPException", "Happened", "JSONResponse",
    "Path", "RedirectResponse", "Response", "Verdict", "asyncio", "escape", "func", "jwt", "timedelta",
]  # fmt: skip

DATABASE_URL = "postgresql+asyncpg://nobody@127.0.0.1/nothing"
ENCRYPTION_KEYS = [new_key().reveal()]
SECRET = "a secret of the application's, 32 bytes"
my_hasher = argon2.PasswordHasher()


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]
    is_staff: Mapped[bool] = mapped_column(default=False)
    deactivated_at: Mapped[datetime | None]


async def send_mail(user_id: object, text: str) -> None:
    """Send nothing."""


engine = create_engine(os.environ["GIVEN_DATABASE"])
MORE: dict[str, Any] = {
    "engine": engine, "login_field": "email", "issuer": "Acme", "encryption_keys": ENCRYPTION_KEYS,
}  # fmt: skip
"""Stands for ``...`` in ``Umbra(..., option=...)``, with the model."""

umbra = Umbra(user_model=User, **MORE, pages=True, sign_in_page="/login")
umbra.tables(Base.metadata)
app = FastAPI()
app.include_router(umbra.router, prefix="/auth")
admin = FastAPI()


@app.post("/payout")
async def payout(user: Annotated[User, Depends(umbra.user(mfa=True))]) -> str:
    return user.email


user: User
request: Request
client: httpx.AsyncClient
umbra_kit: Kit[User]


async def recognised(request: Request) -> User:
    """Know whoever asks, as an application does in its own way."""
    return user  # noqa: F821 - it has a value when this is called
