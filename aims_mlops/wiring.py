"""The one place that builds adapters and finds checks and platforms. Nothing else knows who is who."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol

from aims_mlops.errors import CannotDecide, RegistryError, SigningError, UsageError
from aims_mlops.model.digest import Digest
from aims_mlops.ports import ModelRegistry

if TYPE_CHECKING:
    from aims_mlops.adapters.listener import Webhook
    from aims_mlops.adapters.signers import KeyRow
    from aims_mlops.api import Gatekeeper, Services
    from aims_mlops.data.duckdb_engine import DuckEngine
    from aims_mlops.evidence.configuration import Administrators, Bundle
    from aims_mlops.model.examination import Examination
    from aims_mlops.model.policy import Policy
    from aims_mlops.model.register import Project
    from aims_mlops.model.report import CheckReport
    from aims_mlops.model.serving import ServerOptions
    from aims_mlops.plugin import Check
    from aims_mlops.ports import EvidenceStore, Notifier, Signer, Witness

MEMORY_LIMIT = "1GB"
"""What the embedded engine may take before it spills to disk; AIMS_MEMORY_LIMIT sets another."""

_attached: dict[str, object] = {}


class ListingRegistry(ModelRegistry, Protocol):
    """A registry that can also say what it holds."""

    def models(self) -> tuple[str, ...]:
        """Return the names of the registered models, sorted."""
        ...


class Platform(Protocol):
    """Something that holds models. Installed under the entry-point group `aims_mlops.platforms`."""

    def registry(self, uri: str | None = None, *, tracking_uri: str | None = None) -> ListingRegistry:
        """Return the registry at an address, or at the platform's own present one."""
        ...

    def autolog(self, gatekeeper: Callable[[str | None], Gatekeeper], *, disable: bool = False) -> None:
        """Hook registration and promotion in this process; `gatekeeper` is asked for by the registry's address."""
        ...

    def load(self, folder: Path) -> Any:
        """Load a verified model from a folder."""
        ...

    def server_command(self, options: ServerOptions) -> str:
        """Return the command line of an enforcing server; raise an `AimsError` where it could not enforce."""
        ...

    def serve(self, options: ServerOptions) -> NoReturn:
        """Become that server."""
        ...

    def examine(self, uri: str | None = None, *, tracking_uri: str | None = None) -> Examination:
        """Find out whether the server at an address enforces the gate."""
        ...

    def webhook(self, secret: bytes) -> Webhook:
        """Return who says whether a delivery of the platform's webhooks is genuine; refuse too short a secret."""
        ...


@cache
def checks() -> Mapping[str, type[Check]]:
    """Find the installed checks by their id. One that does not import is left out: its use in aims.yaml is an error."""
    found = {}
    for entry in entry_points(group="aims_mlops.checks"):
        try:
            found[entry.name] = entry.load()
        except ImportError as error:
            say(f"the check {entry.name!r} does not import: {error}")
    return found


@cache
def platform(name: str = "mlflow") -> Platform:
    """Find a platform by name; raise `CannotDecide` where it is not installed."""
    for entry in entry_points(group="aims_mlops.platforms", name=name):
        found: Platform = entry.load()()
        return found
    raise CannotDecide(f"the platform {name!r} is not installed", hint="pip install aims-mlops")


def project(config: Path | None = None) -> Project:
    """Find aims.yaml and read it; raise `ConfigError` with all of its mistakes."""
    from aims_mlops.config import find, load

    return load(find(explicit=config), checks())


def bundle(config: Path | None = None) -> Bundle:
    """Find aims.yaml and pack it with every file that it names and that decides; raise `ConfigError`."""
    from aims_mlops.config import find, pack

    return pack(find(explicit=config), checks())


def load_bundle(packed: Bundle) -> Project:
    """Read a configuration from its bytes alone; raise `ConfigError`."""
    from aims_mlops.config import load_bundle as load

    return load(packed, checks())


def administrators(environment: Mapping[str, str] | None = None) -> Administrators:
    """Read AIMS_ADMIN_KEYS and AIMS_ADMIN_THRESHOLD; raise `UsageError` where they make no sense or are not set."""
    from aims_mlops.config import administrators as read

    return read(environment)


def store(of: Project) -> EvidenceStore:
    """Return the evidence store of a project: AIMS_STORE, else `store:` in aims.yaml, else aims.db beside it."""
    from aims_mlops.adapters.stores import DEFAULT, evidence_store

    return evidence_store(os.environ.get("AIMS_STORE") or of.store or DEFAULT, root=of.root)


def signer(of: Project, person: str | None = None) -> Signer:
    """Return whose key signs; raise `SigningError` where there is none to sign with."""
    from aims_mlops.adapters.signers import choose_signer

    return choose_signer(of, person=person, prompt=_ask)


def new_key(of: Project, person: str, *, algorithm: Literal["ecdsa-p256", "ed25519"]) -> tuple[Path, Path]:
    """Make a person's key pair beside aims.yaml; return the paths of the private and the public file."""
    from aims_mlops.adapters.key_files import new_key as make
    from aims_mlops.adapters.passphrases import read_passphrase
    from aims_mlops.adapters.signers import keys_folder

    _must_name(of, person)
    passphrase = read_passphrase(person, prompt=_ask_twice)
    return make(keys_folder(of), person, passphrase=passphrase, algorithm=algorithm)


def add_key(of: Project, person: str, uri: str) -> tuple[Path, Path, str]:
    """Enrol a person's key that exists elsewhere; return its reference, its public file, and the URI written."""
    from aims_mlops.adapters.signers import add_key as add
    from aims_mlops.adapters.signers import keys_folder

    _must_name(of, person)
    return add(keys_folder(of), person, uri, prompt=_ask)


def _must_name(of: Project, person: str) -> None:
    if of.person(person) is None:
        people = ", ".join(someone.id for someone in of.people) or "nobody"
        raise UsageError(f"aims.yaml names no person {person!r}", hint=f"it names {people}")


def list_keys(of: Project) -> tuple[KeyRow, ...]:
    """Return the keys that aims.yaml lists, and those in the keys folder that it does not."""
    from aims_mlops.adapters.signers import list_keys as listed

    return listed(of)


def _ask(text: str) -> str:
    from getpass import getpass

    return getpass(f"{text}: ")


def _ask_twice(text: str) -> str:
    first = _ask(text)
    if _ask(f"{text}, again") != first:
        raise SigningError("the two passphrases differ", hint="start again; nothing was written")
    return first


def show_config(config: Path | None = None) -> str:
    """Return every value of aims.yaml in force, a line each, with where it comes from."""
    from aims_mlops.config import show

    return "".join(f"{setting}\n" for setting in show(project(config)))


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of aims.yaml with the installed checks."""
    from aims_mlops.config import schema

    return schema(checks())


def explain_config(topic: str) -> str:
    """Explain a check, a key of aims.yaml, or the exit codes."""
    from aims_mlops.config import explain

    return explain(topic, checks()).rstrip("\n") + "\n"


def write_starter(
    folder: Path, *, registry_uri: str | None = None, tracking_uri: str | None = None
) -> tuple[Path, tuple[str, ...], str]:
    """Write a commented aims.yaml from what the registry holds; return its path, the models, and what went wrong.

    A registry that is away does not stop it: the file then has an example name in it.
    """
    from aims_mlops.config import NAME, starter
    from aims_mlops.config import write_starter as write

    models: tuple[str, ...] = ()
    problem = ""
    try:
        models = platform().registry(registry_uri, tracking_uri=tracking_uri).models()
    except RegistryError as error:
        problem = str(error)
    found = sorted(str(path.relative_to(folder)) for path in folder.glob("data/*.parquet"))
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / NAME, starter(models, datasets=found))
    return folder / NAME, models, problem


def engine() -> DuckEngine:
    """Return an embedded engine with its memory limit; close it after use."""
    from aims_mlops.data.duckdb_engine import DuckEngine

    return DuckEngine(memory_limit=os.environ.get("AIMS_MEMORY_LIMIT", MEMORY_LIMIT))


def attach(frames: Mapping[str, object]) -> None:
    """Put frames in the place of the policy's datasets, in this process; None takes one away again."""
    for name, frame in frames.items():
        if frame is None:
            _attached.pop(name, None)
        else:
            _attached[name] = frame


def services(
    *,
    config: Path | None = None,
    registry_uri: str | None = None,
    tracking_uri: str | None = None,
    person: str | None = None,
    read: Project | None = None,
) -> Services:
    """Build what the use cases stand on. Connects to nothing yet. `read` is aims.yaml where it was read already."""
    from aims_mlops.api import Services

    found = project(config) if read is None else read
    chosen: list[Signer] = []

    def sign_as() -> Signer:
        if not chosen:  # one signer for one use: the passphrase is asked for once
            chosen.append(signer(found, person))
        return chosen[0]

    return Services(
        project=found,
        store=store(found),
        registry=platform().registry(registry_uri, tracking_uri=tracking_uri),
        signer=sign_as,
        engine=engine,
        checks=checks(),
        clock=lambda: datetime.now(UTC),
        reports=reports,
        attached=dict(_attached),
    )


def policy_reader(of: Services) -> Callable[[bytes, Collection[str]], Policy]:
    """Return who reads a recorded policy's text again, with the files that it names as they were."""
    from aims_mlops.config import reread

    def file(name: str, digest: Digest) -> bytes | None:
        kept = (system.policy.files.get(name) for system in of.project.systems)
        there = (content for content in kept if content is not None and Digest.of(content) == digest)
        return next(there, None) or of.store.blob(digest)

    return lambda text, ids: reread(text, ids, root=of.project.root, checks=of.checks, file=file)


def reports(report: CheckReport, policy: Policy) -> Mapping[str, bytes]:
    """Render what is attached to a version for people: per check a page and the same numbers as JSON.

    Each lies in a folder named by the digest of the statement that it shows; without a statement there is none.
    """
    import json

    from aims_mlops.views.html import check_html
    from aims_mlops.views.wire import check_report

    wire: dict[str, Any] = check_report(report)
    files = {}
    for result, numbers in zip(report.results, wire["results"], strict=True):
        if result.evidence is None:
            continue
        page = check_html(
            result,
            model=report.version.label,
            digest=report.digest,
            system=report.system,
            policy_digest=policy.digest,
        )
        # A folder for each statement: a server that freezes evidence takes no file of the same name again.
        files[f"{result.evidence.hex}/{result.id}.html"] = page.encode()
        files[f"{result.evidence.hex}/{result.id}.json"] = json.dumps(numbers, indent=1, allow_nan=False).encode()
    return files


def gatekeeper(registry_uri: str | None = None) -> Gatekeeper:
    """Return the gatekeeper that a platform's hooks ask about one call: all of its questions meet one aims.yaml."""
    from aims_mlops.api import Gatekeeper
    from aims_mlops.views.text import registered_message

    read = cache(project)
    return Gatekeeper(
        read,
        lambda: services(registry_uri=registry_uri, read=read()),
        say=say,
        show=lambda report: say(registered_message(report)),
    )


def notifier() -> Notifier | None:
    """Return who tells people: the addresses in AIMS_NOTIFY, set apart by blanks; None where there are none."""
    addresses = os.environ.get("AIMS_NOTIFY", "").split()
    if not addresses:
        return None
    from aims_mlops.adapters.notifier import AppriseNotifier

    return AppriseNotifier(addresses)


def listener(address: str, secret_file: Path, delivered: Callable[[], None]) -> AbstractContextManager[int]:
    """Return a `with` that listens for signed webhooks of the platform and yields its port; read the secret now."""
    from aims_mlops.adapters.bounded_server import parse_address
    from aims_mlops.adapters.listener import listening
    from aims_mlops.adapters.private_files import read_private

    try:
        secret = read_private(secret_file)
    except OSError as error:
        raise UsageError(
            f"--secret-file {secret_file} cannot be read ({error.strerror})",
            hint=f"(umask 077; openssl rand -base64 32 > {secret_file}) makes one",
        ) from error
    return listening(parse_address(address), platform().webhook(secret.strip()), delivered)


def witness(address: str) -> Witness:
    """Return the witness at an address; raise `UsageError` for what is no address. Connects to nothing yet."""
    from aims_mlops.adapters.witness_client import WitnessClient

    return WitnessClient(address)


def be_witness(
    of: Project, person: str, *, name: str, state: Path, logs: Sequence[str], address: str
) -> tuple[str, AbstractContextManager[int]]:
    """Return the key by which a witness of ours is known, and a `with` that serves it and yields its port.

    Raises `UsageError` for what is no verifier key or no address, `SigningError` for a key that cannot cosign.
    """
    import time

    from aims_mlops.adapters.bounded_server import parse_address
    from aims_mlops.adapters.witness_server import WitnessService, witnessing
    from aims_mlops.evidence.note import COSIGNATURE, VerifierKey

    cosigner = signer(of, person)
    found = of.person(person)
    enrolled = [key for key in found.keys if key.id == cosigner.key_id] if found is not None else []
    try:
        known = [VerifierKey.parse(text) for text in logs]
    except ValueError as error:
        raise UsageError(f"--log: {error}", hint="aims log verify says the key of a log") from error
    try:
        key = VerifierKey(name, COSIGNATURE, enrolled[0])
    except ValueError as error:
        hint = f"aims keys new {person} --ed25519, and a --name of one word without +"
        raise SigningError(f"{person!r} cannot cosign as {name!r}: {error}", hint=hint) from error
    service = WitnessService(state, key=key, sign=cosigner.sign, logs=known, clock=time.time)
    cosigner.sign(b"aims log witness")  # asks for the passphrase now, and not at the first request
    return str(key), witnessing(parse_address(address), service, say)


def say(text: str) -> None:
    """Tell people something on standard error, where it is no part of an answer."""
    sys.stderr.write(f"aims: {text}\n")
    sys.stderr.flush()
