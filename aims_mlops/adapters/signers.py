"""Whose key signs a run, and which keys there are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from aims_mlops.adapters.key_files import FileSigner, private_path, public_path, read_public_key, reference_path
from aims_mlops.adapters.key_uris import read_reference
from aims_mlops.adapters.passphrases import Prompt, read_passphrase
from aims_mlops.adapters.uri_signer import UriSigner
from aims_mlops.adapters.uri_signer import add_key as enrol
from aims_mlops.errors import SigningError
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import Project, PublicKey


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One public key: whose it is, whether aims.yaml lists it, and where its private half is."""

    person: str
    algorithm: str
    key_id: Digest
    where: str
    """The private file beside the public one, or the URI that stands there; empty where neither is here."""
    listed: bool

    @property
    def private(self) -> bool:
        """Whether one can try to sign with it here."""
        return bool(self.where)


def keys_folder(project: Project) -> Path:
    """Return the folder that private keys are looked for in: `keys` beside aims.yaml."""
    return project.root / "keys"


def choose_signer(
    project: Project,
    folder: Path | None = None,
    *,
    person: str | None = None,
    prompt: Prompt | None = None,
    now: datetime | None = None,
) -> FileSigner | UriSigner:
    """Return the signer of this run; its key stays locked until it signs.

    The person is the one named (`--as`), else AIMS_SIGNER, else `signer:` in aims.yaml, else the only one whose
    private key is in `folder` (default: `keys_folder`), or has a reference there that says by URI where it is. No
    other key ever stands in for the chosen one. Raises `SigningError` where nobody or nobody known is chosen, the
    private key is missing, in two places, or readable by others, or its public half is not among the person's keys in
    aims.yaml, or not in force `now` (by default this machine's clock).
    """
    where = folder or keys_folder(project)
    chosen = person or os.environ.get("AIMS_SIGNER") or project.signer or _only_one(where)
    known = project.person(chosen)
    if known is None:
        people = ", ".join(someone.id for someone in project.people) or "nobody"
        raise SigningError(
            f"aims.yaml names no person {chosen!r}", hint=f"it names {people}: use one, or add {chosen!r} to `people:`"
        )
    signer = _signer(where, chosen, prompt)
    signer.check()
    enrolled = {key.id: key for key in known.keys}
    if signer.key_id not in enrolled:
        raise SigningError(
            f"{public_path(where, chosen)} is not among the keys that aims.yaml lists for {chosen!r}",
            hint=f"list it: keys: [keys/{chosen}.pub.pem] under people.{chosen}, and have the policy applied anew",
        )
    if closed := enrolled[signer.key_id].term.closed(now or datetime.now(UTC)):
        raise SigningError(
            f"the key of {chosen!r} {closed}: what it signs now counts for nothing",
            hint=f"aims keys rotate {chosen}; aims keys trust shows which keys are in force",
        )
    return signer


def list_keys(project: Project, folder: Path | None = None) -> tuple[KeyRow, ...]:
    """Return the keys that aims.yaml lists, person by person, then those in the folder that it does not list.

    `where` tells what lies beside the public file; that both belong together shows when it signs.
    Raises `SigningError` for a public file that is not a key, and for a reference that is not a URI.
    """
    where = folder or keys_folder(project)
    here = {path.name.removesuffix(".pub.pem"): read_public_key(path) for path in sorted(where.glob("*.pub.pem"))}
    listed = [(person.id, key) for person in project.people for key in person.keys]
    known = {(person, key.id) for person, key in listed}
    others = [(person, key) for person, key in here.items() if (person, key.id) not in known]

    def row(person: str, key: PublicKey, *, in_yaml: bool) -> KeyRow:
        private = _private_half(where, person, project.root) if person in here and here[person].id == key.id else ""
        return KeyRow(person, key.algorithm, key.id, private, in_yaml)

    return (
        *(row(person, key, in_yaml=True) for person, key in listed),
        *(row(person, key, in_yaml=False) for person, key in others),
    )


def add_key(folder: Path, person: str, uri: str, *, prompt: Prompt | None = None) -> tuple[Path, Path, str]:
    """Enrol a person's key that exists elsewhere, as `uri_signer.add_key`; a secret is asked for as in signing."""
    return enrol(folder, person, uri, secret=partial(read_passphrase, person, prompt=prompt, word=_word(uri)))


def _word(uri: str) -> str:
    return "PIN" if uri.startswith("hsm:") else "passphrase"


def _signer(folder: Path, person: str, prompt: Prompt | None) -> FileSigner | UriSigner:
    private, reference = private_path(folder, person), reference_path(folder, person)
    if not os.path.lexists(reference):
        return FileSigner(folder, person, passphrase=partial(read_passphrase, person, prompt=prompt))
    if os.path.lexists(private):
        raise SigningError(
            f"two private keys of {person!r}, and nothing says which: {private} and {reference}",
            hint="move the one away that is not to sign",
        )
    uri = read_reference(reference)
    secret = partial(read_passphrase, person, prompt=prompt, word=_word(uri.text))
    if uri.kind.scheme == "file":
        return FileSigner(folder, person, passphrase=secret, private=uri.file(folder))
    return UriSigner(folder, person, uri, secret=secret)


def _private_half(folder: Path, person: str, root: Path) -> str:
    private, reference = private_path(folder, person), reference_path(folder, person)
    found = [str(private.relative_to(root) if private.is_relative_to(root) else private)] if private.exists() else []
    return ", ".join(found + ([str(read_reference(reference))] if reference.exists() else []))


def _only_one(folder: Path) -> str:
    names = {path.stem for path in folder.glob("*.pem") if not path.match("*.pub.pem")}
    people = sorted(names | {path.stem for path in folder.glob("*.uri")})
    if len(people) == 1:
        return people[0]
    if not people:
        raise SigningError(
            f"nobody to sign: no private key in {folder}, and aims.yaml has no `signer:`",
            hint="aims keys new PERSON makes one; PERSON is an id under `people:`",
        )
    raise SigningError(
        f"several could sign ({', '.join(people)}), and nothing says who",
        hint="use --as PERSON, AIMS_SIGNER, or `signer:` in aims.yaml",
    )
