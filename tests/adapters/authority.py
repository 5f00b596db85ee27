"""A time stamp authority: a root and a certificate of this test's own, and `openssl ts` behind an HTTP server."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CONFIG = """\
[tsa]
serial = {folder}/serial
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:2
signer_digest = sha256
ess_cert_id_alg = sha256
"""


@dataclass
class Authority:
    """Answers RFC 3161 requests. `answer` is what it says instead, where a test wants it to."""

    folder: Path
    status: int = 200
    answer: bytes | None = None
    asked: list[bytes] = field(default_factory=list)
    url: str = ""

    @property
    def roots(self) -> Path:
        return self.folder / "root.pem"

    def reply(self, query: bytes) -> bytes:
        self.asked.append(query)
        if self.answer is not None:
            return self.answer
        (self.folder / "query").write_bytes(query)
        names = ["-queryfile", "query", "-signer", "tsa.pem", "-inkey", "tsa.key"]
        said = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-section", "tsa", *names, "-out", "answer"]
        subprocess.run(said, cwd=self.folder, check=True, capture_output=True)
        return (self.folder / "answer").read_bytes()

    @contextmanager
    def listening(self) -> Iterator[Authority]:
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = authority.reply(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(authority.status)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_port}/tsa"
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield self
            server.shutdown()


def authority(folder: Path) -> Authority:
    """Make one with keys of its own."""
    folder.mkdir()
    root, signer = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, name = _name("Root of a test"), _name("Time stamps of a test")
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    _write(
        folder / "root.pem",
        _builder(root_name, root_name, root)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(root, hashes.SHA256()),
    )
    _write(
        folder / "tsa.pem",
        _builder(name, root_name, signer).add_extension(usage, critical=True).sign(root, hashes.SHA256()),
    )
    plain = serialization.NoEncryption()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "tsa.key").write_bytes(signer.private_bytes(pem, pkcs8, plain))
    (folder / "serial").write_text("01\n")
    (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder))
    return Authority(folder)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    return made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
