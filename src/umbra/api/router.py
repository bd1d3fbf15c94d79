"""The whole JSON face, for the server and for whoever mounts it."""

from fastapi import APIRouter

from umbra.api import account, signin, totp

PARTS = (signin.router, totp.router, account.router)

router = APIRouter()
for part in PARTS:
    router.include_router(part)
