"""The gate's answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aims_mlops.errors import ExitCode, worst_exit_code
from aims_mlops.model.digest import Digest
from aims_mlops.model.outcome import Status, Verdict
from aims_mlops.model.register import Person
from aims_mlops.model.seen import Seen
from aims_mlops.model.subject import ModelVersion, Subject, Target

LIFETIME = timedelta(minutes=10)
"""How long a decision can be used; it is single-use besides."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asked for a promotion. `name` is worth what `via` says: a name that nobody vouches for is `anonymous`."""

    name: str
    via: str
    """`signature`: the key that signs; `basic-auth`; `proxy`: a trusted proxy's header; `none`: nobody vouches."""

    @property
    def authenticated(self) -> bool:
        """Whether somebody vouches for the name."""
        return self.via != "none"


ANONYMOUS = Actor("anonymous", "none")
"""A caller whom a server did not authenticate."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that no evidence could make good: it is refused whatever the gate would say about a version."""

    model: str
    act: str
    """What was tried: `create`, `rename`, `delete`, `tag`, `alias`, `stage` or `copy`."""
    target: Target | None
    reason: str
    hint: str
    workspace: str = "default"

    def explain(self) -> str:
        """Say in plain words what was refused and what to do instead."""
        lines = [f"{self.act} {self.model}: refused: {self.reason}"]
        return "\n".join([*lines, f"  next: {self.hint}"] if self.hint else lines)


@dataclass(frozen=True, slots=True)
class RequirementStatus:
    """How one requirement stands, and why."""

    id: str
    kind: str
    """`check`, `record` or `builtin`."""
    status: Status
    required: bool = True
    evidence: Digest | None = None
    measured_at: datetime | None = None
    signed_by: str | None = None
    waiver: Digest | None = None
    reason: str = ""
    hint: str = ""

    @property
    def shut(self) -> bool:
        """Whether this requirement alone keeps the gate shut."""
        return self.required and not self.status.open


@dataclass(frozen=True, slots=True)
class Decision:
    """One answer about one version and one target, and everything that it rests on."""

    version: ModelVersion
    target: Target
    verdict: Verdict
    requirements: tuple[RequirementStatus, ...]
    decided_at: datetime
    system: str | None = None
    subject: Subject | None = None
    owner: Person | None = None
    policy_digest: Digest | None = None
    log_size: int = 0
    log_head: Digest | None = None
    enforced_by: str = "client"
    on: ModelVersion | None = None
    """The version that is to be promoted, where it is a copy of `version` and judged by it."""
    seen: Seen | None = None
    """All leaves about the version's files that were shown; None where these could not be digested, or where the
    log has faults."""
    digest: Digest | None = field(default=None)
    """The digest of the signed statement that records it; None until it is recorded."""

    @property
    def allowed(self) -> bool:
        """Whether the promotion may go on."""
        return self.verdict.open

    @property
    def moves(self) -> ModelVersion:
        """The version that the promotion would move: the copy, where one is judged by its source."""
        return self.on or self.version

    @property
    def expires_at(self) -> datetime:
        """When the decision can no longer be used."""
        return self.decided_at + LIFETIME

    @property
    def blocking(self) -> tuple[RequirementStatus, ...]:
        """The requirements that keep the gate shut."""
        return tuple(requirement for requirement in self.requirements if requirement.shut)

    @property
    def exit_code(self) -> ExitCode:
        """What a command answers; never 0 unless the promotion may go on."""
        code = worst_exit_code([requirement.status.exit_code for requirement in self.blocking])
        return ExitCode.UNDECIDED if code is ExitCode.OK and not self.allowed else code

    def explain(self) -> str:
        """Say in plain words what was decided, what keeps the gate shut or was waived, and what to do next."""
        copy = "" if self.on is None else f", as its copy {self.on.label}"
        where = f"{self.version.label} -> {self.target}{copy}"
        lines = [f"{where}: {self.verdict.value.replace('_', ' ')}"]
        for item in self.blocking:
            lines.append(f"  {item.id} is {item.status.value}: {item.reason}")
            if item.hint:
                lines.append(f"    next: {item.hint}")
        waived = [item for item in self.requirements if item.status is Status.WAIVED]
        lines += [f"  {item.id} is waived: {item.reason}" for item in waived]
        if self.owner is not None:
            address = f" <{self.owner.email}>" if self.owner.email else ""
            lines.append(f"  owner: {self.owner.name}{address}")
        if self.digest is not None:
            lines.append(f"  decision: {self.digest}")
        return "\n".join(lines)
