"""The pin: what a server saw in force, in a file outside the store."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from aims_mlops.adapters.pin_file import PinFile
from aims_mlops.errors import StoreError, VerificationError
from aims_mlops.evidence.configuration import Pinned
from aims_mlops.model.digest import Digest

PIN = Pinned("a-registry", 3, Digest.of(b"three"))


@pytest.fixture
def pin(tmp_path: Path) -> PinFile:
    return PinFile(tmp_path / "state" / "applied.pin")


def test_nothing_is_pinned_at_first_and_reading_makes_nothing(pin: PinFile) -> None:
    assert pin.read() is None
    assert not pin.path.parent.exists()


def test_what_was_pinned_is_read_by_others(pin: PinFile) -> None:
    assert pin.advance(PIN) == PIN
    assert PinFile(pin.path).read() == PIN
    assert pin.path.read_bytes() == PIN.to_bytes()
    assert [path.name for path in pin.path.parent.iterdir() if path.suffix == ".new"] == []


@pytest.mark.parametrize(
    "other", [Pinned("a-registry", 2, Digest.of(b"two")), Pinned("a-registry", 3, Digest.of(b"another three"))]
)
def test_it_moves_forward_only(pin: PinFile, other: Pinned) -> None:
    pin.advance(PIN)
    assert pin.advance(other) == PIN
    assert pin.read() == PIN
    newer = Pinned("a-registry", 4, Digest.of(b"four"))
    assert pin.advance(newer) == pin.read() == newer


@pytest.mark.parametrize("content", [b"", b"{}", PIN.to_bytes()[:-1], b"\xff"])
def test_a_damaged_pin_is_said_and_never_replaced(pin: PinFile, content: bytes) -> None:
    pin.advance(PIN)
    pin.path.write_bytes(content)
    for ask in (pin.read, lambda: pin.advance(Pinned("a-registry", 9, Digest.of(b"nine")))):
        with pytest.raises(VerificationError, match=r"applied\.pin: pin: ") as caught:
            ask()
        assert "backup" in caught.value.hint
    assert pin.path.read_bytes() == content


def test_a_state_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    pin = PinFile(tmp_path / "state" / "applied.pin")
    with pytest.raises(StoreError, match="state"):
        pin.advance(PIN)


def test_a_link_in_the_place_of_the_fresh_file_is_not_followed(pin: PinFile, tmp_path: Path) -> None:
    pin.advance(PIN)
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    pin.path.with_name("applied.pin.new").symlink_to(victim)
    pin.advance(Pinned("a-registry", 4, Digest.of(b"four")))
    assert victim.read_text() == "untouched"
    assert not pin.path.is_symlink()


def _advance(path: Path, numbers: list[int]) -> None:
    for number in numbers:
        PinFile(path).advance(Pinned("a-registry", number, Digest.of(b"%d" % number)))


def test_many_processes_leave_the_highest(pin: PinFile) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_advance, args=(pin.path, list(range(k, 60, 3)))) for k in (1, 2, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert pin.read() == Pinned("a-registry", 59, Digest.of(b"59"))
