"""The whole JSON face, for the server and for whoever mounts it."""

from fastapi import APIRouter

from umbra.api import account, email, signin, totp

PARTS = (signin.router, totp.router, account.router, email.router)

router = APIRouter()
for part in PARTS:
    router.include_router(part)
