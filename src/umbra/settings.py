"""What an operator may decide; every name and default is in docs/reference/settings.md."""

import ipaddress
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from platformdirs import user_data_path
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator

from umbra.attempts import bound
from umbra.brand import NO_COLOUR, Brand, is_colour, logo_of
from umbra.core import logs, smtp
from umbra.core.errors import Misconfigured

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

DEFAULT_PORT = 8000
LONGEST_SECONDS = 400 * 24 * 3600
"""What a browser keeps a cookie for at most (draft-ietf-httpbis-rfc6265bis)."""

LABEL_BREAKERS = ":?#"
"""Authenticator apps cut a label at these, encoded or not (FreeOTP, 2FAS)."""


PREFIX = "UMBRA_"

_HOST = re.compile(r"[a-z0-9.-]+|[0-9a-f:.]+")


class Settings(BaseModel):
    """One frozen model; ``load`` reads it, once at start, from ``UMBRA_…`` variables."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    database_url: SecretStr | None = None
    data_dir: Path = Field(default_factory=lambda: user_data_path("umbra", appauthor=False))
    encryption_keys: SecretStr | None = None
    encryption_keys_file: Path | None = None
    public_url: str = f"http://127.0.0.1:{DEFAULT_PORT}"
    issuer: str = "Umbra"
    registration: Literal["open", "closed"] = "closed"
    trusted_proxies: tuple[Network, ...] = ()
    session_idle: timedelta = timedelta(hours=1)
    session_lifetime: timedelta = timedelta(hours=24)
    password_min_length: int = Field(default=15, ge=8, le=256)
    guess_probability: float = 0.01
    argon2_profile: Literal["owasp", "owasp-47", "rfc9106"] = "owasp"
    smtp_url: SecretStr | None = None
    mail_from: str | None = Field(default=None, validate_default=True)
    api_docs: bool = False
    metrics: bool = False
    log_format: logs.Format = "plain"
    brand_name: str | None = None
    brand_accent: str | None = None
    brand_logo: Path | None = None

    @field_validator("public_url")
    @classmethod
    def _is_safe_origin(cls, text: str) -> str:
        parts = urlsplit(text)
        name = parts.hostname or ""
        try:
            port = parts.port
        except ValueError:
            raise ValueError("has no valid port") from None
        if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(name):
            raise ValueError("must be http://… or https://…")
        if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username or parts.password:
            raise ValueError("must hold scheme, host and port only")
        if parts.scheme == "http" and not is_loopback(name):
            raise ValueError("must be https, except on a loopback address: over plain http sessions are stolen")
        host = f"[{name}]" if ":" in name else name
        is_default = port in {None, 443 if parts.scheme == "https" else 80}
        return f"{parts.scheme}://{host}" + ("" if is_default else f":{port}")

    @field_validator("issuer")
    @classmethod
    def _is_readable_by_apps(cls, text: str) -> str:
        issuer = text.strip()
        if not issuer or len(issuer) > 64 or not issuer.isprintable() or set(issuer) & set(LABEL_BREAKERS):  # noqa: PLR2004
            raise ValueError(f"must be 1 to 64 printable characters without any of {LABEL_BREAKERS}")
        return issuer

    @field_validator("brand_name")
    @classmethod
    def _is_a_line(cls, text: str | None) -> str | None:
        if text is not None and not (0 < len(text.strip()) <= 64 and text.isprintable()):  # noqa: PLR2004
            raise ValueError("must be 1 to 64 printable characters")
        return text and text.strip()

    @field_validator("brand_accent")
    @classmethod
    def _is_colour(cls, text: str | None) -> str | None:
        if text is not None and not is_colour(text):
            raise ValueError(NO_COLOUR)
        return text

    @field_validator("brand_logo")
    @classmethod
    def _is_picture(cls, path: Path | None) -> Path | None:
        if path is not None:
            try:
                logo_of(path)
            except Misconfigured as error:
                raise ValueError(str(error)) from None
        return path

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("session_idle", "session_lifetime", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        if isinstance(value, str | int):
            if not str(value).isdecimal() or int(value) > LONGEST_SECONDS:
                raise ValueError(f"must be a whole number of seconds, at most {LONGEST_SECONDS}")
            return timedelta(seconds=int(value))
        return value

    @field_validator("session_idle", "session_lifetime")
    @classmethod
    def _is_positive(cls, value: timedelta) -> timedelta:
        if value <= timedelta(0):
            raise ValueError("must be more than 0 seconds")
        return value

    @field_validator("guess_probability")
    @classmethod
    def _leaves_limits(cls, probability: float) -> float:
        if not bound.SMALLEST_PROBABILITY <= probability <= bound.LARGEST_PROBABILITY:
            raise ValueError(
                f"must be from {bound.SMALLEST_PROBABILITY} to {bound.LARGEST_PROBABILITY}, the chance that a guess at "
                "codes is right per account and year: less locks owners out, more is none of the limits' doing"
            )
        return probability

    @field_validator("smtp_url")
    @classmethod
    def _keeps_its_password(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            server = smtp.parse_server(url.get_secret_value())
            if server.login is not None and server.security == "none" and not is_loopback(server.host):
                raise ValueError("must be smtp+starttls:// or smtps:// to send a password beyond this machine")
        return url

    @field_validator("mail_from")
    @classmethod
    def _is_sender(cls, text: str | None, info: ValidationInfo) -> str | None:
        if text is not None:
            smtp.parse_sender(text)
        elif info.data.get("smtp_url") is not None:
            raise ValueError("is required with UMBRA_SMTP_URL")
        return text

    @property
    def sends_mail(self) -> bool:
        """Say whether there is a mail server."""
        return self.smtp_url is not None

    @property
    def is_https(self) -> bool:
        """Say whether browsers reach us over https."""
        return self.public_url.startswith("https://")

    @property
    def brand(self) -> Brand:
        """What the server's pages look like."""
        return Brand(self.brand_name, self.brand_accent, self.brand_logo)

    @property
    def has_default_database(self) -> bool:
        """Say whether the database is the SQLite file in the data directory."""
        return self.database_url is None

    @property
    def url_of_database(self) -> str:
        """The database's address; it may hold a password, so it does not print."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'umbra.db'}"


def is_loopback(host: str) -> bool:
    """Say whether ``host`` is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load(**given: Any) -> Settings:
    """Return the settings of the environment, with ``given`` ones on top; an empty variable is none.

    Raises:
        Misconfigured: One of them is not of its form; the text names it, and not its value.
    """
    names = {name: os.environ.get(PREFIX + name.upper()) for name in Settings.model_fields}
    return checked({name: text for name, text in names.items() if text} | given)


def checked(given: Mapping[str, Any]) -> Settings:
    """Return settings that somebody has given by name, and the others as they are by default.

    Raises:
        Misconfigured: One of them is unknown, or not of its form; the text names it, and not its value.
    """
    unknown = sorted(given.keys() - Settings.model_fields.keys())
    if unknown:
        raise Misconfigured(f"there is no setting {', '.join(unknown)}")
    try:
        return Settings(**given)
    except ValidationError as error:
        lines = [
            f"{PREFIX}{str(one['loc'][0]).upper()}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors(include_input=False)
        ]
        raise Misconfigured("; ".join(lines)) from None
