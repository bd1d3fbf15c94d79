import base64
import io
import re
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from support.tools import needs
from umbra.totp import provisioning

SECRET = b"12345678901234567890"


def test_the_address_is_in_the_plainest_form() -> None:
    uri = provisioning.otpauth_uri(SECRET, issuer="Example", account="alice@example.com").reveal()
    assert "otpauth://totp/Example:alice%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example" == uri


def test_everything_odd_in_an_issuer_is_percent_encoded() -> None:
    uri = provisioning.otpauth_uri(SECRET, issuer="Acme Co & Söns/1", account="a").reveal()
    assert "/Acme%20Co%20%26%20S%C3%B6ns%2F1:a?" in uri
    assert uri.endswith("&issuer=Acme%20Co%20%26%20S%C3%B6ns%2F1")
    assert "+" not in uri


@pytest.mark.parametrize(
    "account",
    ["alice", "a:b@example.com", "x%26secret%3DAAAA", "=HYPERLINK(1)", "<script>", "a/b", "x?secret=A#b", "a&issuer=E"],
)
def test_no_account_name_breaks_the_label_or_adds_a_parameter(account: str) -> None:
    parts = urlsplit(provisioning.otpauth_uri(SECRET, issuer="Example", account=account).reveal())
    assert 1 == unquote(parts.path).count(":")
    assert {"secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"], "issuer": ["Example"]} == parse_qs(parts.query)
    assert "" == parts.fragment
    assert re.sub("[:?#]", "_", account) == unquote(parts.path).partition(":")[2]


def test_an_independent_reader_finds_the_address_in_the_qr_code(tmp_path: Path) -> None:
    needs("zbarimg", "zbar-tools")
    uri = provisioning.otpauth_uri(SECRET, issuer="Example", account="alice@example.com")
    data = provisioning.qr_png_data_uri(uri)
    assert data.startswith("data:image/png;base64,")
    picture = tmp_path / "qr.png"
    picture.write_bytes(io.BytesIO(base64.b64decode(data.partition(",")[2])).getvalue())
    read = subprocess.run(["zbarimg", "-q", "--raw", str(picture)], capture_output=True, text=True, check=True)
    assert uri.reveal() == read.stdout.strip()
