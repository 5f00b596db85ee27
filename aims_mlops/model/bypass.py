"""What the reconciler finds: the registry holds, or lost, something for which the log has no good record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aims_mlops.errors import ExitCode
from aims_mlops.model.digest import Digest
from aims_mlops.model.subject import ModelVersion, RegisteredModel, Target


class Word(StrEnum):
    """What is wrong, in one word. Published: words are never changed or reused."""

    UNRECORDED = "unrecorded"
    """No trusted promotion to this target is in the log."""
    SUPERSEDED = "superseded"
    """The newest record about the target is about another version."""
    REMOVED = "removed"
    """The newest record says that the version was taken away from the target."""
    RECREATED = "recreated"
    """The record is about an earlier version of the same name and number."""
    MOVED = "moved"
    """The version was promoted in another workspace than the one where it stands."""
    UNPROVED = "unproved"
    """The promotion rests on a decision that is missing, not allowed, untrusted, or about something else."""
    STRAY = "stray"
    """A version lies in a protected name and was never promoted into it."""
    CHANGED = "changed"
    """The files are not those that were promoted."""
    GONE = "gone"
    """The files are no longer there."""
    ABSENT = "absent"
    """The log says that a version stands there, and nothing does."""
    LOOK_ALIKE = "look-alike"
    """A name, alias or stage that can be taken for a protected one."""
    UNCLAIMED = "unclaimed"
    """A protected alias or stage of a model that no system of the register claims."""
    UNREADABLE = "unreadable"
    """The files could not be read, so that nothing can be said about them."""

    @property
    def exit_code(self) -> ExitCode:
        """What a command answers: files that nobody could read leave us without an answer."""
        return ExitCode.UNDECIDED if self is Word.UNREADABLE else ExitCode.UNVERIFIED


@dataclass(frozen=True, slots=True)
class Bypass:
    """One finding. Two findings with the same `id` are the same one, however often it is looked at."""

    word: Word
    version: ModelVersion | RegisteredModel
    """The version that stands there; the registered model where no version does."""
    target: Target
    seen: str
    """What the registry shows."""
    logged: str
    """What the log says."""
    hint: str
    """What to do next."""
    id: Digest
    digest: Digest | None = None
    """The model digest of what stands there; None where its files were not looked at or cannot be read."""
    promotion: Digest | None = None
    """The newest statement of the log about the target."""
    evidence: Digest | None = None
    """The statement that records the finding; None where it could not be recorded."""
    fresh: bool = False
    """Whether this look was the first to find it, as far as the log knows."""
    done: str = ""
    """What was done about it; empty where nothing was."""

    @property
    def label(self) -> str:
        """How people name what stands there: `income/7`, or `income`."""
        return self.version.name if self.version.version is None else f"{self.version.name}/{self.version.version}"
