"""The harness of `make fuzz`: it runs over every target, and it sees what it is there to see."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_mlops.evidence.checkpoint import Checkpoint, SignedCheckpoint
from aims_mlops.evidence.envelope import Envelope
from aims_mlops.evidence.log_proof import LogProof
from aims_mlops.evidence.note import Note
from fuzz import oracles, seeds
from fuzz.mutations import EDITS, VALUES, spoiled, with_value
from fuzz.search import with_hypothesis
from fuzz.target import Target, judge, keep
from fuzz.targets import TARGETS
from tests.docs.blocks import ROOT

BY_NAME = {target.name: target for target in TARGETS}


def _unsigned(content: bytes) -> SignedCheckpoint:
    note = Note.from_bytes(content)
    return SignedCheckpoint(Checkpoint.from_text(note.text), note)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_round_over_each_target_holds(target: Target) -> None:
    tally = with_hypothesis(target, 0, examples=15)

    assert tally.seen >= 10
    assert not tally.broken


def test_each_target_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(TARGETS)


@pytest.mark.parametrize(
    ("name", "read", "raised"),
    [
        ("envelope", lambda content: Envelope(content, seeds.ENVELOPES[0].signatures), AssertionError),
        ("leaf", lambda _content: seeds.PINNED, AssertionError),
        ("head", lambda content: {}[content], KeyError),
        ("checkpoint", _unsigned, AssertionError),
        ("proof", LogProof.from_bytes, AssertionError),
    ],
    ids=[
        "a reader that believes a key is never asked",
        "a reader that takes everything",
        "a reader that crashes",
        "a checkpoint whose signature is not looked at",
        "a proof that is not followed to the root",
    ],
)
def test_a_broken_reader_is_found_and_its_input_kept(
    name: str,
    read: Callable[[bytes], Any],
    raised: type[Exception],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    valid = tuple(BY_NAME[name].seeds)

    def sound_for_seeds(content: bytes) -> Any:
        return BY_NAME[name].read(content) if content in valid else read(content)

    def believing(content: bytes, value: Any) -> None:
        if isinstance(value, Envelope):  # as a verifier would that skips the signature
            assert value.payload in seeds.PAYLOADS, "a payload that nobody signed verifies"
        else:
            BY_NAME[name].hold(content, value)

    with pytest.raises(raised):
        with_hypothesis(replace(BY_NAME[name], read=sound_for_seeds, hold=believing), 0)

    (kept,) = (tmp_path / "fuzz-found").iterdir()
    assert kept.name.startswith(f"{name}-")


def test_a_target_that_refuses_its_own_seed_is_no_target() -> None:
    refusing = replace(BY_NAME["head"], seeds=[b"{}"])

    with pytest.raises(AssertionError, match="a valid input is refused"):
        with_hypothesis(refusing, 0)


@given(content=st.binary(max_size=40), edits=EDITS)
def test_spoiling_is_decided_by_its_numbers_alone(content: bytes, edits: list[tuple[str, int, int, bytes]]) -> None:
    assert spoiled(content, edits) == spoiled(content, edits)


@settings(max_examples=50)
@given(place=st.integers(0, 100), way=st.sampled_from(("put", "drop", "rename")), value=VALUES)
def test_replacing_a_value_gives_json_that_reaches_the_reader(place: int, way: str, value: Any) -> None:
    changed = with_value(seeds.PINNED.to_bytes(), place, way, value)

    assert isinstance(json.loads(changed), dict)
    judge(BY_NAME["pin"], changed)  # raises what a reader must not raise


def test_the_oracle_of_the_gate_has_an_open_gate_to_look_at() -> None:
    opened = [BY_NAME["gate"].read(content)[1].allowed for content in seeds.JUDGED]

    assert True in opened


@pytest.mark.slow
def test_the_command_ends_in_time_and_replays_what_was_kept(tmp_path: Path) -> None:
    valid = BY_NAME["head"].seeds[0]
    kept = [keep(BY_NAME["head"], content, tmp_path) for content in (valid, b"no head")]

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "fuzz", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120).stdout

    assert [line.rpartition(" ")[2] for line in run("--seconds", "1", "head", "pin").splitlines()[:2]] == ["held"] * 2
    said = run("--replay", *(str(path) for path in kept)).splitlines()
    assert [line.rpartition(": ")[2] for line in said] == ["taken", "refused"]


def test_nothing_is_allowed_by_an_oracle_that_should_not_be() -> None:
    with pytest.raises(AssertionError, match="the server answered 500"):
        oracles.nothing_stored(b"", 500)
    with pytest.raises(AssertionError, match="written in another way"):
        oracles.written_as_read(b" " + seeds.PINNED.to_bytes(), seeds.PINNED)
    log = BY_NAME["log"].read(b"\n".join(seeds.LOG.rows))
    with pytest.raises(AssertionError, match="nobody wrote"):
        oracles.whole_log(b"something else", log)
