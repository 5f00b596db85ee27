"""The list of attempts, each a function of a scene, and of what must keep working."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.bypass.scene import Scene


class Answer(Enum):
    """What a guarded server is held to."""

    PREVENTED = "prevented"
    FOUND = "found by aims watch"


@dataclass(frozen=True)
class Attempt:
    """One way round the gate: what it does, its class in the threat table, and what answers it."""

    id: str
    kind: str
    does: str
    run: Callable[[Scene], object]
    answer: Answer = Answer.PREVENTED
    workspaces: bool = False


@dataclass(frozen=True)
class Legitimate:
    """Something that must work on a guarded server as on a plain one."""

    id: str
    does: str
    run: Callable[[Scene], object]


ATTEMPTS: dict[str, Attempt] = {}
LEGITIMATE: dict[str, Legitimate] = {}
Function = Callable[["Scene"], object]


def attempt(
    kind: str, id_: str, does: str, *, answer: Answer = Answer.PREVENTED, workspaces: bool = False
) -> Callable[[Function], Function]:
    """Add a function to the attempts."""

    def add(function: Function) -> Function:
        assert id_ not in ATTEMPTS, f"two attempts are called {id_}"
        ATTEMPTS[id_] = Attempt(id_, kind, does, function, answer, workspaces)
        return function

    return add


def legitimate(id_: str, does: str) -> Callable[[Function], Function]:
    """Add a function to what must keep working; it raises where it does not."""

    def add(function: Function) -> Function:
        assert id_ not in LEGITIMATE, f"two operations are called {id_}"
        LEGITIMATE[id_] = Legitimate(id_, does, function)
        return function

    return add


@dataclass(frozen=True)
class Outcome:
    """What came of one attempt: what is promoted now, and what was said about it."""

    attempt: Attempt
    scene: Scene
    promoted: list[str]
    said: str

    def __str__(self) -> str:
        return f"{self.attempt.id} ({self.attempt.does}): {'; '.join(self.promoted) or 'not promoted'} [{self.said}]"


def tried(scene: Callable[[str], Scene], attempts: Iterable[Attempt]) -> list[Outcome]:
    """Make each attempt in a scene of its own, and probe from the outside what it reached.

    An attempt ends where it is refused; what is raised is kept, and decides nothing.
    """
    outcomes = []
    for number, one in enumerate(attempts):
        made, said = scene(f"a{number}"), ""
        with made.server.credentials():
            try:
                reply = one.run(made)
                said = getattr(reply, "text", "")
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
            outcomes.append(Outcome(one, made, made.probe(), said[:400]))
    return outcomes


def broken(scene: Callable[[str], Scene], operations: Iterable[Legitimate]) -> list[str]:
    """Carry out what must work, and say what did not."""
    failed = []
    for number, one in enumerate(operations):
        made = scene(f"l{number}")
        with made.server.credentials():
            try:
                one.run(made)
            except Exception as error:
                failed.append(f"{one.id} ({one.does}): {type(error).__name__}: {str(error)[:600]}")
    return failed
