"""Ledger has a login and tokens of its own. Umbra says when a sign-in is complete, and what a token stands for."""

import os
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import create_engine, event, select, update
from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection

from ledger.models import Account
from ledger.passwords import hashed, is_right
from umbra import Event, Happened, Umbra, Verdict

JWT_KEY = os.environ["JWT_KEY"]
engine = create_engine(os.environ["DATABASE_URL"])
event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys = ON"))
outbox: list[tuple[object, str]] = []


async def issue(_request: Request, account: Account, verdict: Verdict) -> Response:
    """Answer whoever has taken every step with a token of Ledger's."""
    claims = {"sub": str(account.id), "sid": verdict.session_id, "exp": verdict.expires_at}
    return JSONResponse(
        {
            "access_token": jwt.encode(claims, JWT_KEY, "HS256"),
            "enrolment_required": verdict.enrolment_required,
        }
    )


async def session_of(connection: HTTPConnection) -> str | None:
    """Return the session that a token names, if it is one of Ledger's."""
    _, _, token = connection.headers.get("authorization", "").partition("Bearer ")
    try:
        claims: dict[str, Any] = jwt.decode(token, JWT_KEY, ["HS256"], options={"require": ["exp", "sid"]})
    except jwt.PyJWTError:
        return None
    return str(claims["sid"])


async def on_event(happened: Happened) -> None:
    """Write to whoever has another second factor now; a refusal has a reason, and is no news for them."""
    if happened.event is Event.AUTHENTICATOR_CONFIRMED and happened.reason is None:
        outbox.append((happened.user_id, "An authenticator app was added to your account."))


umbra = Umbra(
    engine=engine,
    user_model=Account,
    login_field="email",
    issuer="Ledger",
    encryption_keys=os.environ["ENCRYPTION_KEYS"].split(","),
    check_password=is_right,
    on_signed_in=issue,
    identify=session_of,
    disabled=lambda account: account.closed_at.is_not(None),
    require_mfa=lambda account: account.is_staff,
    on_event=on_event,
    table_prefix="umbra_",
)

app = FastAPI(lifespan=umbra.lifespan)
app.include_router(umbra.router, prefix="/auth")
admin = FastAPI()
app.mount("/admin", umbra.gate(admin, mfa=True))

Me = Annotated[Account, Depends(umbra.user())]


class Login(BaseModel):
    """What somebody types."""

    email: str
    password: str


class NewPassword(BaseModel):
    """A password in the place of another."""

    old: str
    new: str


@app.post("/register", status_code=201)
async def register(form: Login) -> None:
    """Make an account."""
    kept = await hashed(form.password)

    def add() -> None:
        with Session(engine) as session:
            session.add(Account(email=form.email, salt=kept.salt, password_hash=kept.password_hash))
            session.commit()

    await run_in_threadpool(add)


@app.post("/login")
async def login(form: Login, request: Request) -> Response:
    """Look at a password in Ledger's way, and leave the rest of the sign-in to Umbra."""

    def find() -> Account | None:
        with Session(engine) as session:
            return session.scalars(select(Account).where(Account.email == form.email)).one_or_none()

    account = await run_in_threadpool(find)
    if account is None or not await is_right(account, form.password):
        raise HTTPException(401, "E-mail address or password is wrong.")
    return await umbra.sign_in(request, account)


@app.get("/me")
async def me(account: Me) -> dict[str, str]:
    """Say who a token stands for."""
    return {"email": account.email}


@app.post("/transfer")
async def transfer(
    account: Annotated[Account, Depends(umbra.user(mfa=True, within=timedelta(minutes=5)))],
) -> dict[str, str]:
    """Move money for whoever has shown a code within the last five minutes."""
    return {"moved_for": account.email}


@app.post("/password", status_code=204)
async def change_password(form: NewPassword, request: Request, account: Me) -> None:
    """Change a password, and end what was begun with the old one."""
    if not await is_right(account, form.old):
        raise HTTPException(403, "The old password is wrong.")
    kept = await hashed(form.new)

    def change() -> None:
        with Session(engine) as session:
            values = {"salt": kept.salt, "password_hash": kept.password_hash}
            session.execute(update(Account).where(Account.id == account.id).values(values))
            session.commit()

    await run_in_threadpool(change)
    await umbra.sign_out_everywhere(request, account)


@app.post("/close", status_code=204)
async def close(account: Me) -> None:
    """Close an account; its tokens stand for nobody from the next request on."""

    def close_it() -> None:
        with Session(engine) as session:
            session.execute(update(Account).where(Account.id == account.id).values(closed_at=datetime.now(UTC)))
            session.commit()

    await run_in_threadpool(close_it)


@app.websocket("/balance")
async def balance(socket: WebSocket, account: Me) -> None:
    """Tell somebody their balance, as it changes."""
    await socket.accept()
    await socket.send_json({"email": account.email, "balance": 0})
    await socket.close()


@admin.get("/accounts")
async def accounts(request: Request) -> dict[str, str]:
    """Be behind a gate: nothing here asks who it is."""
    return {"asked_by": request.state.user.email}
