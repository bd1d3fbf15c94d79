"""How a mail is handed in: encrypted where it says so, to whom the certificate says, and with a password."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support.mail import PASSWORD, USER, PostOffice
from umbra.core import smtp
from umbra.mail import post
from umbra.mail.post import NotTaken

LOGIN = f"{USER}:{quote(PASSWORD)}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine that nobody trusts yet, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "post office")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    day = timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - day)
        .not_valid_after(datetime.now(UTC) + day)
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "certificate.pem"
    pem, pkcs8, nothing = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, pkcs8, nothing))
    return path


@pytest.fixture
def identity(certificate: Path) -> ssl.SSLContext:
    """What the mail server shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def _trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this machine trust the certificate, as its operator would."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def hand_in(url: str) -> None:
    message = EmailMessage()
    message["Subject"] = "Hello"
    message.set_content("Hello.")
    post.hand_in(smtp.parse_server(url), "login.example", message, "umbra@login.example", "alice@example.com")


@pytest.mark.usefixtures("_trusted")
def test_with_starttls_nothing_goes_over_in_clear(closed_office: PostOffice, identity: ssl.SSLContext) -> None:
    closed_office.wants_login = True
    with closed_office.is_open(starttls=identity):
        hand_in(f"smtp+starttls://{LOGIN}@127.0.0.1:{closed_office.port}")
    assert [True] == [one.is_encrypted for one in closed_office.deliveries]
    assert {"login.example"} == set(closed_office.greetings)


@pytest.mark.usefixtures("_trusted")
def test_with_tls_from_the_beginning_too(closed_office: PostOffice, identity: ssl.SSLContext) -> None:
    closed_office.wants_login = True
    with closed_office.is_open(tls=identity):
        hand_in(f"smtps://{LOGIN}@127.0.0.1:{closed_office.port}")
    assert 1 == len(closed_office.deliveries)


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_a_certificate_that_nobody_vouches_for_gets_neither_mail_nor_password(
    scheme: str, closed_office: PostOffice, identity: ssl.SSLContext
) -> None:
    tls, starttls = (identity, None) if scheme == "smtps" else (None, identity)
    with (
        closed_office.is_open(tls=tls, starttls=starttls),
        pytest.raises(NotTaken, match="SSLCertVerificationError") as refused,
    ):
        hand_in(f"{scheme}://{LOGIN}@127.0.0.1:{closed_office.port}")
    assert refused.value.is_about_server
    assert [] == closed_office.deliveries


@pytest.mark.usefixtures("_trusted")
def test_a_certificate_for_another_name_does_not_count(closed_office: PostOffice, identity: ssl.SSLContext) -> None:
    with closed_office.is_open(tls=identity), pytest.raises(NotTaken, match="SSLCertVerificationError"):
        hand_in(f"smtps://localhost:{closed_office.port}")


def test_a_server_that_offers_no_starttls_is_sent_nothing(office: PostOffice) -> None:
    with pytest.raises(NotTaken, match="SMTPNotSupportedError"):
        hand_in(f"smtp+starttls://{LOGIN}@127.0.0.1:{office.port}")
    assert [] == office.deliveries


def test_a_wrong_password_is_told_by_its_number_only(office: PostOffice) -> None:
    with pytest.raises(NotTaken) as refused:
        hand_in(f"smtp://{USER}:wrong@127.0.0.1:{office.port}")
    assert ("SMTPAuthenticationError 535", True, False) == (
        refused.value.error, refused.value.is_about_server, refused.value.is_final,
    )  # fmt: skip


def test_knocking_finds_out_what_sending_would(closed_office: PostOffice) -> None:
    server = smtp.parse_server(closed_office.url)
    with closed_office.is_open():
        post.knock(server, "login.example")
    with pytest.raises(NotTaken, match="ConnectionRefusedError"):
        post.knock(server, "login.example")
    assert [] == closed_office.deliveries


@pytest.mark.parametrize(
    ("host", "name"),
    [("login.example", "login.example"), ("127.0.0.1", "[127.0.0.1]"), ("::1", "[IPv6:::1]")],
)
def test_we_call_ourselves_what_people_call_us(host: str, name: str) -> None:
    assert name == post.own_name(host)
