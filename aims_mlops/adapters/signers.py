"""Whose key signs a run, and which keys there are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aims_mlops.adapters.key_files import FileSigner, private_path, public_path, read_public_key
from aims_mlops.adapters.passphrases import Prompt, read_passphrase
from aims_mlops.errors import SigningError
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import Project, PublicKey


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One public key: whose it is, whether aims.yaml lists it, and whether its private file is here."""

    person: str
    algorithm: str
    key_id: Digest
    private: bool
    listed: bool


def keys_folder(project: Project) -> Path:
    """Return the folder that private keys are looked for in: `keys` beside aims.yaml."""
    return project.root / "keys"


def choose_signer(
    project: Project, folder: Path | None = None, *, person: str | None = None, prompt: Prompt | None = None
) -> FileSigner:
    """Return the signer of this run; its key stays locked until it signs.

    The person is the one named (`--as`), else AIMS_SIGNER, else `signer:` in aims.yaml, else the only one whose
    private key is in `folder` (default: `keys_folder`). No other key ever stands in for the chosen one. Raises
    `SigningError` where nobody or nobody known is chosen, the private key is missing or readable by others, or its
    public half is not among the person's keys in aims.yaml.
    """
    where = folder or keys_folder(project)
    chosen = person or os.environ.get("AIMS_SIGNER") or project.signer or _only_one(where)
    known = project.person(chosen)
    if known is None:
        people = ", ".join(someone.id for someone in project.people) or "nobody"
        raise SigningError(
            f"aims.yaml names no person {chosen!r}", hint=f"it names {people}: use one, or add {chosen!r} to `people:`"
        )
    signer = FileSigner(where, chosen, passphrase=partial(read_passphrase, chosen, prompt=prompt))
    signer.check_file()
    if signer.key_id not in {key.id for key in known.keys}:
        raise SigningError(
            f"{public_path(where, chosen)} is not among the keys that aims.yaml lists for {chosen!r}",
            hint=f"list it: keys: [keys/{chosen}.pub.pem] under people.{chosen}, and have the policy applied anew",
        )
    return signer


def list_keys(project: Project, folder: Path | None = None) -> tuple[KeyRow, ...]:
    """Return the keys that aims.yaml lists, person by person, then those in the folder that it does not list.

    `private` means that the private file lies beside the public one; that both belong together shows when it signs.
    Raises `SigningError` for a public file that is not a key.
    """
    where = folder or keys_folder(project)
    here = {path.name.removesuffix(".pub.pem"): read_public_key(path) for path in sorted(where.glob("*.pub.pem"))}
    listed = [(person.id, key) for person in project.people for key in person.keys]
    others = [(person, key) for person, key in here.items() if (person, key) not in listed]

    def row(person: str, key: PublicKey, *, in_yaml: bool) -> KeyRow:
        private = here.get(person) == key and private_path(where, person).exists()
        return KeyRow(person, key.algorithm, key.id, private, in_yaml)

    return (
        *(row(person, key, in_yaml=True) for person, key in listed),
        *(row(person, key, in_yaml=False) for person, key in others),
    )


def _only_one(folder: Path) -> str:
    people = sorted(path.name.removesuffix(".pem") for path in folder.glob("*.pem") if not path.match("*.pub.pem"))
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
