"""A peer on a real socket that does exactly what a test tells it, byte by byte, and keeps what it was sent."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Peer:
    """`act` is called for each connection in a thread of its own."""

    act: Callable[["Peer", socket.socket], None]
    tls: ssl.SSLContext | None = None
    port: int = 0
    connections: int = 0
    received: list[bytes] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _open: list[socket.socket] = field(default_factory=list)

    def url(self, path: str = "/x", scheme: str | None = None, host: str = "127.0.0.1") -> str:
        return f"{scheme or ('https' if self.tls else 'http')}://{host}:{self.port}{path}"

    def request(self, conn: socket.socket) -> bytes:
        """One whole request; empty at the end of the connection."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = conn.recv(65536)
            if not piece:
                return b""
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:")), 0
        )
        while len(body) < length:
            body += conn.recv(65536)
        self.received.append(head + b"\r\n\r\n" + body)
        return self.received[-1]

    def note_end(self, conn: socket.socket) -> None:
        """How the other side ended the connection: `closed` or `reset`."""
        try:
            while conn.recv(65536):
                pass
            self.notes.append("closed")
        except ConnectionResetError:
            self.notes.append("reset")

    def join(self) -> None:
        """Wait until every connection so far has been dealt with."""
        for thread in self._threads:
            thread.join(10)

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._one, args=(conn,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _one(self, conn: socket.socket) -> None:
        conn.settimeout(10)
        with contextlib.suppress(OSError):
            conn = self._shaken(conn)
            self._open.append(conn)
            self.act(self, conn)
        conn.close()

    def _shaken(self, conn: socket.socket) -> socket.socket:
        if self.tls is None:
            return conn
        wrapped = self.tls.wrap_socket(conn, server_side=True, do_handshake_on_connect=False)
        try:
            wrapped.do_handshake()
        except OSError:
            # Closing at once would reset the connection, and the reason could overtake the alert that names it.
            raw = socket.socket(fileno=wrapped.detach())
            with contextlib.suppress(OSError):
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(65536):
                    pass
            raw.close()
            raise
        return wrapped

    def stop(self) -> None:
        """End every connection that is still open, as a peer does that shuts down."""
        self.stopping.set()
        for conn in self._open:
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)
        self.join()


@contextmanager
def peer(act: Callable[[Peer, socket.socket], None], tls: ssl.SSLContext | None = None) -> Iterator[Peer]:
    """A running peer on a free port of 127.0.0.1."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    running = Peer(act, tls, port=listener.getsockname()[1])
    acceptor = threading.Thread(target=running._serve, args=(listener,), daemon=True)
    acceptor.start()
    try:
        yield running
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(10)
        running.stop()


def answering(answer: bytes = OK, times: int = 1_000_000) -> Callable[[Peer, socket.socket], None]:
    """Answers requests on a connection `times` times, then closes it."""

    def act(running: Peer, conn: socket.socket) -> None:
        for _ in range(times):
            if not running.request(conn):
                return
            conn.sendall(answer)

    return act


def dripping(data: bytes, every_s: float) -> Callable[[Peer, socket.socket], None]:
    """Answers a byte at a time, and notes how the connection ended."""

    def act(running: Peer, conn: socket.socket) -> None:
        running.request(conn)
        try:
            for position in range(len(data)):
                conn.sendall(data[position : position + 1])
                if running.stopping.wait(every_s):
                    return
        except OSError as error:
            running.notes.append("reset" if isinstance(error, ConnectionResetError) else type(error).__name__)

    return act


def reset(conn: socket.socket) -> None:
    """Close with a reset."""
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


@dataclass(frozen=True)
class Authority:
    """Issues throw-away certificates."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    bundle: Path

    @classmethod
    def create(cls, folder: Path, name: str = "authority") -> "Authority":
        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = _builder(subject, subject, key).add_extension(x509.BasicConstraints(True, None), critical=True)
        certificate = certificate.add_extension(
            x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True
        ).add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        signed = certificate.sign(key, hashes.SHA256())
        bundle = folder / f"{name}.pem"
        bundle.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return cls(folder, key, signed, bundle)

    def issue(self, name: str, *, expired: bool = False, host: str = "127.0.0.1") -> tuple[Path, Path]:
        """Certificate and key files."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        alternative = x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
        signed = (
            _builder(subject, self.certificate.subject, key, expired)
            .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
            .add_extension(x509.BasicConstraints(False, None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        certificate_file, key_file = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate_file, key_file

    def server(self, *, expired: bool = False, host: str = "127.0.0.1", clients: bool = False) -> ssl.SSLContext:
        """A server's context; with `clients` it asks for a certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.issue(f"server-{host}-{expired}", expired=expired, host=host))
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.bundle)
        return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, expired: bool = False
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=-1 if expired else 1))
    )
