"""The error tree. Each error says what happened and what to do next, and knows its exit code."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a command's exit code means. Published: numbers are never changed or reused."""

    OK = 0
    """Passed, allowed, or allowed by waiver."""
    SHUT = 1
    """A requirement is failed, inconclusive, missing or stale; or no system claims the model."""
    USAGE = 2
    """Usage or configuration."""
    UNDECIDED = 3
    """Could not decide: registry away, data missing, library broken, a hole in the sequence. Still shut."""
    UNVERIFIED = 4
    """Evidence does not verify: untrusted, mismatched or tampered with."""
    NOTHING = 5
    """Nothing to check, or a target that is not protected. Never green."""


def worst_exit_code(codes: list[ExitCode]) -> ExitCode:
    """Return the code that a command answers when several hold: 2, then 1 before 4 before 3 before 5."""
    order = (ExitCode.USAGE, ExitCode.SHUT, ExitCode.UNVERIFIED, ExitCode.UNDECIDED, ExitCode.NOTHING)
    return next((code for code in order if code in codes), ExitCode.OK)


class AimsError(Exception):
    """Anything that this product raises on purpose. `str(error)` is the message; `hint` the next step."""

    exit_code: ClassVar[ExitCode] = ExitCode.UNDECIDED

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Say what happened and where, with the value and the limit; `hint` says what to do next."""
        super().__init__(message)
        self.hint = hint


class UsageError(AimsError):
    """The caller asked for something that has no meaning."""

    exit_code = ExitCode.USAGE


class ConfigError(AimsError):
    """`aims.yaml` has mistakes; the message lists all of them, one a line, with line and column."""

    exit_code = ExitCode.USAGE


class SigningError(AimsError):
    """No key, a wrong passphrase, or a key file that others can read."""

    exit_code = ExitCode.USAGE


class CannotDecide(AimsError):
    """Something needed for an answer is away or broken. The gate stays shut."""

    exit_code = ExitCode.UNDECIDED


class RegistryError(CannotDecide):
    """The model registry is away, answered with an error, or does not know the model."""


class FilesGone(RegistryError):
    """The registry knows the version, and its files are no longer where it says."""


class StoreError(CannotDecide):
    """The evidence store is away, read-only, locked or full."""


class DataError(CannotDecide):
    """A dataset is missing, empty, changed while it was read, or lacks a column."""


class PredictorError(CannotDecide):
    """The model cannot be loaded, fails in predict, or answers something that is not a prediction."""

    detail: str = ""
    """What the model printed last. For the terminal only: it may quote a row, so it stays out of evidence."""


class NotifyError(CannotDecide):
    """People could not be told. Whatever they were to be told of stands all the same."""


class MissingExtra(CannotDecide):
    """A library of an optional extra is not installed."""


class CheckError(CannotDecide):
    """A check could not measure. Its message goes into evidence: it holds no value of any row."""


class NothingToDo(AimsError):
    """No requirement to check, or a target that is not protected."""

    exit_code = ExitCode.NOTHING


class VerificationError(AimsError):
    """A signature, a digest or the log's chain does not hold."""

    exit_code = ExitCode.UNVERIFIED


class Denied(AimsError):
    """A promotion was refused by the gate."""

    def __init__(
        self, message: str, *, hint: str = "", code: ExitCode = ExitCode.SHUT, decision: object = None
    ) -> None:
        """Carry the decision, where there is one, and its own exit code, since a refusal has several causes."""
        super().__init__(message, hint=hint)
        self.decision = decision
        self.exit_code = code  # type: ignore[misc]  # of the decision, not of the class
