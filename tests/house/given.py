"""What Python in the documents takes as given: an application like the README's, and who asks something of it.

``test_code_blocks`` puts each block into a coroutine of its own below this text. Names without a value get one there.
"""

import os
from datetime import datetime, timedelta
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from sqlalchemy import create_engine, func
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from umbra import Umbra
from umbra.core.events import Happened
from umbra.crypto.keyring import new_key
from umbra.testing import Kit

__all__ = ["Annotated", "Depends", "HTTPException", "Happened", "Response", "func", "timedelta"]

DATABASE_URL = "postgresql+asyncpg://nobody@127.0.0.1/nothing"
ENCRYPTION_KEYS = [new_key().reveal()]


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

umbra = Umbra(user_model=User, **MORE)
umbra.tables(Base.metadata)
app = FastAPI()
app.include_router(umbra.router, prefix="/auth")

user: User
request: Request
client: httpx.AsyncClient
kit: Kit[User]
