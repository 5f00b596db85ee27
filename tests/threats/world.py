"""What is attacked: a promoted model, its log with a witness, and what somebody holds who wants to bend them.

Built once by the real commands and copied for each attack. The copies' private keys are at hand, since some attackers
hold one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from aims_mlops.adapters.sql_store import SqlEvidenceStore
from aims_mlops.adapters.stores import open_store
from aims_mlops.adapters.witness_server import WitnessService
from aims_mlops.evidence.envelope import Envelope, Signature, pae
from aims_mlops.evidence.log import Head, Leaf, genesis
from aims_mlops.evidence.note import COSIGNATURE, ED25519, VerifierKey
from aims_mlops.evidence.statement import Statement, predicate_type
from aims_mlops.model.digest import Digest
from aims_mlops.ports import Entry
from tests.builders import Key
from tests.cli.loans import PASSPHRASE, Answer, Loans, applicants

AIMS_YAML = """\
schema: aims/1
organisation: {name: Example Lending, contact: ai@example.org}

people:
  loan-owner: {name: Loan Model Owner, email: model-owner@example.org, keys: [keys/loan-owner.pub.pem]}
  risk-officer: {name: Model Risk Officer, email: model-risk@example.org, keys: [keys/risk-officer.pub.pem]}
  former: {name: Former Colleague, email: former@example.org, active: false, keys: [keys/former.pub.pem]}
  pipeline: {name: Training pipeline, kind: service, keys: [keys/pipeline.pub.pem]}
  the-log: {name: Log of evidence, kind: service, keys: [keys/the-log.pub.pem]}
  audit: {name: Internal audit, kind: service, keys: [keys/audit.pub.pem]}

signer: pipeline

log:
  key: the-log
  witnesses: []

trust:
  check-result: [pipeline, former]
  gate-decision: [pipeline]
  promotion: [pipeline]
  waiver: [risk-officer]

systems:
  loans:
    name: Loan approval
    owner: loan-owner
    risk_class: limited
    models: [loan]
    promotion: {aliases: [champion]}
    data:
      reference: {path: data/reference.parquet, label: approved}
      evaluation: {path: data/evaluation.parquet, label: approved, sensitive: [sex]}
    checks:
      - id: drift
        use: drift
        reference: reference
        current: evaluation
        columns: [age, hours, sex]
        max_per_column: 0.2
      - id: drift-strict
        use: drift
        reference: reference
        current: evaluation
        columns: [age, hours, sex]
        max_per_column: 0.000001
"""

P256 = ("loan-owner", "risk-officer", "former", "pipeline")
ED25519_PEOPLE = ("the-log", "audit")
WITNESS = "aims-witness/audit"
URL = "https://audit.example.org"
PACK = "pack"
"""What an auditor was handed, with `auditor/trust.json` by another way."""
KEPT = "auditor/kept.checkpoint"
"""What an auditor took away before the last statements were recorded."""
LATER = "auditor/later.checkpoint"
"""And the newest, which covers the whole log."""


@dataclass
class World(Loans):
    """The project, with the hands of whoever attacks it."""

    # What is read

    def leaves(self) -> list[Leaf]:
        """Return all leaves, in order."""
        return [Leaf.from_bytes(bytes(row[0])) for row in self.sql("select leaf from aims_leaf order by seq")]

    def place(self, kind: str, nth: int = 0) -> int:
        """Return the place of the nth statement of a kind."""
        return [leaf.seq for leaf in self.leaves() if leaf.type == predicate_type(kind)][nth]

    def envelope(self, seq: int) -> Envelope:
        """Return the envelope of a leaf."""
        query = "select envelope from aims_envelope where payload = ?"
        ((content,),) = self.sql(query, str(self.leaves()[seq].payload))
        return Envelope.from_bytes(bytes(content))

    def statement(self, kind: str, nth: int = 0) -> Statement:
        """Return the nth statement of a kind."""
        return Statement.from_bytes(self.envelope(self.place(kind, nth)).payload)

    def key(self, person: str) -> Key:
        """Return somebody's private key: stolen, or an insider's own."""
        pem = (self.folder / "keys" / f"{person}.pem").read_bytes()
        return Key(load_pem_private_key(pem, PASSPHRASE.encode()))  # type: ignore[arg-type]  # P-256 and Ed25519 alone

    @property
    def registry_id(self) -> str:
        """Return the registry's id."""
        ((found,),) = self.sql("select value from aims_meta where key = 'registry_id'")
        return str(found)

    @property
    def log_key(self) -> VerifierKey:
        """Return the log's key as others know it."""
        return VerifierKey(f"aims-mlops/{self.registry_id}", ED25519, self.key("the-log").public)

    @property
    def witness_key(self) -> VerifierKey:
        """Return the witness's key as others know it."""
        return VerifierKey(WITNESS, COSIGNATURE, self.key("audit").public)

    # What is done

    def signed(self, payload: bytes, *people: str) -> bytes:
        """Sign any bytes as these people; return the envelope."""
        keys = [self.key(person) for person in people]
        return Envelope(payload, tuple(Signature(str(k.public.id), k.sign(pae(payload))) for k in keys)).to_bytes()

    def append(self, content: bytes, kind: str = "check-result", *, subject: Digest | None = None) -> None:
        """Append an envelope as the store does: whoever can write to the database can, and needs no key for it."""
        of = subject or self.statement("check-result").subject
        entry = Entry(content, Envelope.from_bytes(content).payload_digest, predicate_type(kind), of, "loan", "1")
        with self.store() as store:
            store.append(entry)

    @contextmanager
    def store(self) -> Iterator[SqlEvidenceStore]:
        """Open the store."""
        store = open_store("sqlite:///aims.db", root=self.folder)
        try:
            yield store
        finally:
            store.close()

    def put_row(self, seq: int, content: bytes) -> None:
        """Write an envelope's row over, and nothing else."""
        self.sql("update aims_envelope set envelope = ? where payload = ?", content, str(self.leaves()[seq].payload))

    def forge(self, seq: int, content: bytes, payload: bytes | None = None) -> None:
        """Put an envelope in the place of another, and chain the whole log and its head anew to fit."""
        leaves = self.leaves()
        old = leaves[seq]
        new = Digest.of(payload) if payload is not None else old.payload
        self.sql("delete from aims_envelope where payload = ?", str(old.payload))
        self.sql("insert into aims_envelope (payload, envelope) values (?, ?)", str(new), content)
        leaves[seq] = replace(old, envelope=Digest.of(content), payload=new)
        self.chain(leaves)

    def chain(self, leaves: Sequence[Leaf]) -> None:
        """Write the whole log anew from these leaves, sound in itself, with its head: needs every file, and no key."""
        self.sql("delete from aims_leaf")
        prev = genesis(self.registry_id)
        for seq, leaf in enumerate(leaves):
            content = replace(leaf, seq=seq, prev=prev).to_bytes()
            prev = Digest.of(content)
            self.sql(
                "insert into aims_leaf (seq, leaf, digest, payload, type, subject, model, version, system)"
                " values (?, ?, ?, ?, ?, ?, 'loan', '1', 'loans')",
                *(seq, content, str(prev), str(leaf.payload), leaf.type, str(leaf.subject)),
            )
        self.head.write_bytes(Head(len(leaves) - 1, prev).to_bytes())

    @property
    def head(self) -> Path:
        """The head's file, outside the database."""
        return self.folder / "aims.db.head"

    @property
    def outside(self) -> Path:
        """The file of the last checkpoint, outside the database."""
        return self.folder / "aims.db.checkpoint"

    def checkpoint(self, *, expect: int = 0) -> Answer:
        """Sign the log as it stands, as the log's key does."""
        return self.aims("log", "checkpoint", expect=expect)

    def asked_witness(self) -> WitnessService:
        """Return the other department's witness: out of everybody's reach, but for its address."""
        return WitnessService(
            self.folder / "auditor" / "seen.json",
            key=self.witness_key,
            sign=self.key("audit").sign,
            logs=[self.log_key],
            clock=time.time,
        )

    def twin(self, folder: Path) -> World:
        """Copy the whole project."""
        return World(self.copy(folder).folder)


@dataclass(frozen=True)
class AtWitness:
    """A way to the witness without a socket."""

    service: WitnessService
    place: str = URL

    def add_checkpoint(self, request: bytes) -> tuple[int, bytes]:
        """Ask it."""
        status, _, text = self.service.answer(request)
        return int(status), text.encode()


@contextmanager
def reached(world: World) -> Iterator[None]:
    """Let `aims log witness URL` reach the witness of this world."""
    with patch("aims_mlops.wiring.witness", lambda _address: AtWitness(world.asked_witness())):
        yield


def build(folder: Path) -> World:
    """Make the world: two versions, of which the first was checked, waived, promoted; the log signed and witnessed."""
    made = World(folder)
    (folder / "data").mkdir(parents=True)
    (folder / "auditor").mkdir()
    made.write(AIMS_YAML)
    for name, seed in (("reference", 1), ("evaluation", 2)):
        made.change_data(applicants(seed, 500), name)
    for person in P256:
        made.aims("keys", "new", person, expect=0)
    for person in ED25519_PEOPLE:
        made.aims("keys", "new", person, "--ed25519", expect=0)
    made.edit("witnesses: []", f"witnesses: ['{made.witness_key}']")
    made.register("return [0] * len(frame)")
    made.aims("check", "loan/1", expect=1)
    _waive(made)
    made.checkpoint()
    (folder / KEPT).write_bytes(made.outside.read_bytes())
    made.aims("gate", "loan/1", "--to", "champion", expect=0)
    made.aims("promote", "loan/1", "--to", "champion", expect=0)
    second = folder / "other-model"
    (folder / "bad-model").rename(folder / "first-model")
    made.register("return [1] * len(frame)")
    (folder / "bad-model").rename(second)
    for column in ("source", "storage_location"):
        change = f"update model_versions set {column} = ? where name = 'loan' and version = ?"
        made.sql(change, str(folder / "first-model"), 1, database="mlflow.db")
        made.sql(change, str(second), 2, database="mlflow.db")
    made.checkpoint()
    with reached(made):
        made.aims("log", "witness", URL, expect=0)
    (folder / LATER).write_bytes(made.outside.read_bytes())
    made.aims("pack", "build", "loans", "--from", "2020-01-01", "--to", "2099-12-31", "-o", PACK, expect=0)
    made.aims("pack", "trust", "-o", "auditor/trust.json", expect=0)
    return made


def _waive(made: World) -> None:
    request = ("waive", "request", "loan/1", "--requirement", "drift-strict", "--reason", "known", "--expires", "14d")
    asked = made.aims("--as", "loan-owner", *request, "--format", "json", expect=0).json
    made.aims("--as", "risk-officer", "waive", "approve", asked["waivers"][0]["waiver"], expect=0)
