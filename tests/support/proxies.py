"""What comes to a server through proxies, and which address it takes for the client's."""

from dataclasses import dataclass

TRUSTED = "10.0.0.0/8, 127.0.0.2, fd00::/8"
"""``UMBRA_TRUSTED_PROXIES`` in every case."""


@dataclass(frozen=True)
class Case:
    """A connection's other end, the header lines that came on it, and the client's address."""

    what: str
    peer: str | None
    headers: tuple[tuple[str, str], ...]
    client: str | None

    @property
    def row(self) -> str:
        """Return the line of the table in docs/guides/proxy.md."""
        headers = "<br>".join(f"`{name}: {value}`" for name, value in self.headers) or "none"
        client = f"`{self.client}`" if self.client else "unknown"
        return f"| {self.what} | {f'`{self.peer}`' if self.peer else 'none'} | {headers} | {client} |"


def case(what: str, peer: str | None, *headers: str, client: str | None) -> Case:
    """Return a case; each header is a line as it is sent."""
    pairs = [header.partition(": ") for header in headers]
    return Case(what, peer, tuple((name, value) for name, _, value in pairs), client)


CASES = [
    case("nobody in between", "203.0.113.9", client="203.0.113.9"),
    case("a proxy that is not trusted", "203.0.113.1", "X-Forwarded-For: 198.51.100.7", client="203.0.113.1"),
    case("a proxy that is trusted", "10.0.0.1", "X-Forwarded-For: 198.51.100.7", client="198.51.100.7"),
    case("the same, over IPv6", "fd00::1", "X-Forwarded-For: 2001:db8::7", client="2001:db8::7"),
    case("an IPv4 proxy on an IPv6 socket", "::ffff:10.0.0.1", "X-Forwarded-For: 198.51.100.7", client="198.51.100.7"),
    case("an IPv4 client that it writes so", "10.0.0.1", "X-Forwarded-For: ::ffff:198.51.100.7", client="198.51.100.7"),
    case("a trusted proxy that adds nothing", "10.0.0.1", client="10.0.0.1"),
    case("the client has forged the beginning", "10.0.0.1",
         "X-Forwarded-For: 192.0.2.1, 198.51.100.7", client="198.51.100.7"),
    case("it claims to be a trusted proxy", "10.0.0.1",
         "X-Forwarded-For: 192.0.2.1, 10.0.0.9, 198.51.100.7", client="198.51.100.7"),
    case("two trusted proxies", "10.0.0.1", "X-Forwarded-For: 198.51.100.7, 10.0.0.2", client="198.51.100.7"),
    case("the outer one is not trusted", "10.0.0.1",
         "X-Forwarded-For: 198.51.100.7, 203.0.113.1", client="203.0.113.1"),
    case("a client within a trusted network", "10.0.0.1", "X-Forwarded-For: 10.0.0.3, 10.0.0.2", client="10.0.0.3"),
    case("several lines, which are one list", "10.0.0.1",
         "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 198.51.100.7, 10.0.0.2", client="198.51.100.7"),
    case("a port", "10.0.0.1", "X-Forwarded-For: 198.51.100.7:4711", client="198.51.100.7"),
    case("brackets", "10.0.0.1", "X-Forwarded-For: [2001:db8::7]", client="2001:db8::7"),
    case("brackets and a port", "10.0.0.1", "X-Forwarded-For: [2001:db8::7]:4711", client="2001:db8::7"),
    case("a last hop that is no address", "10.0.0.1", "X-Forwarded-For: 198.51.100.7, unknown", client="10.0.0.1"),
    case("an address with a zone", "10.0.0.1", "X-Forwarded-For: fe80::1%eth0", client="10.0.0.1"),
    case("empty places", "10.0.0.1", "X-Forwarded-For: , 198.51.100.7, ,", client="198.51.100.7"),
    case("nothing but garbage", "10.0.0.1", "X-Forwarded-For: <script>, [, ]:1, 999.1.1.1", client="10.0.0.1"),
    case("RFC 7239, which is not read", "10.0.0.1", "Forwarded: for=198.51.100.7;proto=https", client="10.0.0.1"),
    case("the same beside the other", "10.0.0.1",
         "Forwarded: for=192.0.2.1", "X-Forwarded-For: 198.51.100.7", client="198.51.100.7"),
    case("a name that is not read", "10.0.0.1", "X-Real-IP: 198.51.100.7", client="10.0.0.1"),
    case("scheme and host, which are not read", "10.0.0.1",
         "X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: http", "X-Forwarded-Host: evil.example",
         client="198.51.100.7"),
    case("a socket without an address", None, "X-Forwarded-For: 198.51.100.7", client=None),
    case("a Unix socket's empty name", "", "X-Forwarded-For: 198.51.100.7", client=None),
]  # fmt: skip
