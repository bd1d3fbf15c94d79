"""Acme pays people out, and wants to see a code from their app before it does."""

import asyncio
import os
import unicodedata
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from argon2 import PasswordHasher
from fastapi import Depends, FastAPI, HTTPException
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from acme.models import Base, User
from umbra import Umbra

engine = create_async_engine(os.environ["DATABASE_URL"])
umbra = Umbra(
    engine=engine,
    user_model=User,
    login_field="email",
    password_field="password_hash",  # noqa: S106 - the name of an attribute
    issuer="Acme",
    encryption_keys=os.environ["ENCRYPTION_KEYS"].split(","),
    public_url=os.environ.get("PUBLIC_URL", "http://127.0.0.1:8000"),
)
umbra.tables(Base.metadata)

app = FastAPI(lifespan=umbra.lifespan)
app.include_router(umbra.router, prefix="/auth")


class Registration(BaseModel):
    """What somebody types who wants an account. Umbra looks names up in lower case, and passwords in NFC."""

    email: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[^@\s]+@[^@\s]+$")]
    password: Annotated[str, Field(min_length=15, max_length=128)]


@app.post("/register", status_code=201)
async def register(form: Registration) -> dict[str, str]:
    """Make an account."""
    password = unicodedata.normalize("NFC", form.password)
    password_hash = await asyncio.to_thread(PasswordHasher().hash, password)
    async with AsyncSession(engine) as session:
        session.add(User(email=form.email, password_hash=password_hash))
        try:
            await session.commit()
        except IntegrityError:
            raise HTTPException(409, "There is an account with this address.") from None
    return {"email": form.email}


@app.get("/me")
async def me(user: Annotated[User, Depends(umbra.user())]) -> dict[str, str]:
    """Say who is signed in."""
    return {"email": user.email}


@app.post("/payout")
async def payout(
    user: Annotated[User, Depends(umbra.user(mfa=True, within=timedelta(minutes=5)))],
) -> dict[str, str]:
    """Pay somebody who has shown a code within the last five minutes."""
    return {"paid_to": user.email}


app.mount("/", StaticFiles(directory=Path(__file__).parent / "static", html=True))
