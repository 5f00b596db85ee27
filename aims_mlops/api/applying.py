"""The applied configuration: the newest one that enough administrators signed, read from the log alone.

For each answer, in this order:

1. the pin outside the store is read;
2. the new leaves are read, and of all policy statements those count that an administrator's key signed;
3. in force is what has the highest sequence among what `threshold` different keys signed alike;
4. it is not older than the pin, nor another one under the pinned sequence, nor of another registry; the pin moves;
5. its files are read from the store by their digests, and made into a project, once;
6. each system's policy digest comes out here as the administrators signed it.

Whatever does not hold raises `NotApplied`: nothing can be promoted then. No older configuration stands in for a newer
one that is damaged. Holes elsewhere in the log are the gate's to see.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from aims_mlops.api.policy_log import PolicyLog, PolicyReading, PolicySource, Proposal
from aims_mlops.errors import AimsError, ExitCode, VerificationError
from aims_mlops.evidence.configuration import Administrators, Bundle, Pinned
from aims_mlops.model.digest import Digest
from aims_mlops.model.register import Project

_log = logging.getLogger(__name__)

Loader = Callable[[Bundle], Project]
"""Reads a bundle into a project; raises `ConfigError`."""

_RESTORE = "restore the evidence store from its newest backup"
_APPLY = "aims apply, as an administrator"


class NotApplied(AimsError):
    """No configuration is in force, or it cannot be told which: nothing can be promoted."""

    def __init__(self, message: str, *, hint: str, code: ExitCode) -> None:
        """`code` is SHUT where signatures are missing, UNDECIDED where something is gone, UNVERIFIED else."""
        super().__init__(f"no configuration is in force: {message}", hint=hint)
        self.exit_code = code  # type: ignore[misc]  # of the cause, not of the class


class Pin(Protocol):
    """Remembers outside the store what was in force. Raises `StoreError` and `VerificationError`."""

    @property
    def place(self) -> str:
        """Where it is, for people."""
        ...

    def read(self) -> Pinned | None:
        """Return what is pinned, or None where nothing ever was."""
        ...

    def advance(self, pinned: Pinned) -> Pinned:
        """Keep a newer pin, and return what is kept then."""
        ...


@dataclass(frozen=True)
class Applied:
    """The configuration that is in force. `project` stays the same object as long as the configuration does."""

    project: Project
    sequence: int
    configuration: Digest
    statements: tuple[Digest, ...]
    """The statements that put it in force."""
    signers: tuple[Digest, ...]
    """The distinct administrators' keys that signed it, by key id."""


class AppliedConfiguration:
    """Says what is in force now. One for each process; safe to use from several threads, and cheap to ask often.

    Each question reads the pin and the leaves that are new since the last; files are read and parsed only where the
    configuration changed. Only the keys given here count, never keys that a configuration names.
    """

    def __init__(self, source: PolicySource, administrators: Administrators, *, load: Loader, pin: Pin | None) -> None:
        """Read nothing yet. Without a pin nobody notices that the newest configuration was taken away."""
        self._source = source
        self._administrators = administrators
        self._log = PolicyLog(source, administrators.keys)
        self._load = load
        self._pin = pin
        self._turn = threading.Lock()
        self._known: tuple[Digest, Project] | None = None

    @property
    def administrators(self) -> Administrators:
        """Whose word counts."""
        return self._administrators

    def current(self) -> Applied:
        """Return what is in force; raise `NotApplied`, or `StoreError` where the store cannot be read."""
        with self._turn:
            pinned = self._pinned()  # before the leaves: meanwhile a later configuration may come, never go
            reading = self._log.look()
            chosen = self._choose(reading, pinned)
            self._hold_to_pin(Pinned(reading.registry_id, chosen.sequence, chosen.configuration), pinned)
            project = self._project(chosen)
            return Applied(project, chosen.sequence, chosen.configuration, chosen.statements, chosen.signers)

    def _pinned(self) -> Pinned | None:
        try:
            return None if self._pin is None else self._pin.read()
        except VerificationError as error:
            raise NotApplied(str(error), hint=error.hint, code=ExitCode.UNVERIFIED) from error

    def _choose(self, reading: PolicyReading, pinned: Pinned | None) -> Proposal:
        refuse_faults(reading)
        newest = reading.newest(self._administrators.threshold)
        if len(newest) > 1:
            raise NotApplied(
                f"administrators signed {len(newest)} different configurations as number {newest[0].sequence}",
                hint=f"{_APPLY}, once more: a higher number settles it",
                code=ExitCode.UNVERIFIED,
            )
        if newest:
            return newest[0]
        raise self._none(reading, pinned)

    def _none(self, reading: PolicyReading, pinned: Pinned | None) -> NotApplied:
        """Say why nothing is in force."""
        proposals, others = reading.proposals, reading.others
        need = self._administrators.threshold
        told = f"; {others} in the log have no signature of an administrator of this server" if others else ""
        if pinned is not None and not proposals:
            gone = "the evidence store was emptied or replaced" if not others else "no administrator's is left"
            return NotApplied(
                f"number {pinned.sequence} was, and {gone}{told}",
                hint=f"{_RESTORE}; where the administrators were replaced, {_APPLY}",
                code=ExitCode.UNDECIDED,
            )
        if not proposals:
            return NotApplied(f"none was ever applied here{told}", hint=_APPLY, code=ExitCode.SHUT)
        best = max(proposals, key=lambda item: (len(item.signers), item.sequence))
        return NotApplied(
            f"number {best.sequence} has {len(best.signers)} of {need} signatures by different administrators",
            hint=f"another administrator signs the same files: aims apply --as PERSON; {need} keys have to",
            code=ExitCode.SHUT,
        )

    def _hold_to_pin(self, chosen: Pinned, pinned: Pinned | None) -> None:
        if self._pin is None:
            return
        if pinned is None:
            _log.warning(
                "this server sees an applied configuration for the first time and takes number %d (%s) for the newest; "
                "whether a newer one was taken away before cannot be seen from here (%s)",
                chosen.sequence,
                chosen.configuration.short,
                self._pin.place,
            )
        else:
            _compare(chosen, pinned, self._pin.place)
        if chosen != pinned:
            kept = self._pin.advance(chosen)
            if kept.sequence == chosen.sequence:  # Where another process went ahead, this answer is only late.
                _compare(chosen, kept, self._pin.place)

    def _project(self, chosen: Proposal) -> Project:
        if self._known is None or self._known[0] != chosen.configuration:
            self._known = chosen.configuration, self._read(chosen)
        project = self._known[1]
        here = {system.id: system.policy.digest for system in project.systems}
        for word in chosen.words:
            _same_policies(chosen.sequence, dict(word.body.systems), here)
        return project

    def _read(self, chosen: Proposal) -> Project:
        try:
            return self._load(read_bundle(self._source, chosen))
        except NotApplied:
            raise
        except AimsError as error:
            raise NotApplied(
                f"number {chosen.sequence} does not read here:\n{error}",
                hint="the server needs the aims-mlops and the checks of whoever applied it; mend that, or apply anew",
                code=ExitCode.UNDECIDED,
            ) from error


def refuse_faults(reading: PolicyReading) -> None:
    """Raise `NotApplied` where a policy statement is gone or changed: it may have been the newest."""
    for fault in reading.faults:
        gone = fault.kind == "hole"
        what = f"the policy statement of leaf {fault.seq} is gone" if gone else fault.what
        raise NotApplied(what, hint=_RESTORE, code=ExitCode.UNDECIDED if gone else ExitCode.UNVERIFIED)


def read_bundle(source: PolicySource, proposal: Proposal) -> Bundle:
    """Read a configuration's files from the store; raise `NotApplied` where one is gone or changed."""
    files: dict[str, bytes] = {}
    for name, digest in proposal.words[0].body.files.items():
        what = f"the file {name} of number {proposal.sequence}"
        try:
            content = source.blob(digest)
        except VerificationError as error:
            raise _changed(what) from error
        if content is None:
            raise NotApplied(f"{what} is gone from the evidence store", hint=_RESTORE, code=ExitCode.UNDECIDED)
        if Digest.of(content) != digest:
            raise _changed(what)
        files[name] = content
    return Bundle(files)


def _changed(what: str) -> NotApplied:
    return NotApplied(f"{what} was changed in the evidence store", hint=_RESTORE, code=ExitCode.UNVERIFIED)


def _compare(chosen: Pinned, pinned: Pinned, place: str) -> None:
    if chosen.registry_id != pinned.registry_id:
        raise NotApplied(
            f"the evidence store is of registry {chosen.registry_id}, and this server served {pinned.registry_id}",
            hint="see that AIMS_STORE names the right store; a server of another registry has its own AIMS_STATE",
            code=ExitCode.UNVERIFIED,
        )
    if chosen.sequence < pinned.sequence:
        raise NotApplied(
            f"number {pinned.sequence} was, and the newest that holds now is {chosen.sequence}: it went back ({place})",
            hint=f"{_RESTORE}; where the administrators or the threshold were changed, {_APPLY}",
            code=ExitCode.UNDECIDED,
        )
    if chosen.sequence == pinned.sequence and chosen.configuration != pinned.configuration:
        raise NotApplied(
            f"number {pinned.sequence} was {pinned.configuration.short}, and is {chosen.configuration.short} now",
            hint=f"{_RESTORE}, or {_APPLY}: a higher number settles it",
            code=ExitCode.UNVERIFIED,
        )


def _same_policies(sequence: int, signed: dict[str, Digest], here: dict[str, Digest]) -> None:
    differ = sorted(name for name in signed.keys() | here.keys() if signed.get(name) != here.get(name))
    if differ:
        raise NotApplied(
            f"number {sequence} reads differently here than it did where it was signed: {', '.join(differ)}",
            hint="another aims-mlops or other checks are installed there: use the same, then aims apply",
            code=ExitCode.UNVERIFIED,
        )
