"""Anchors of a log: what trusted witnesses cosigned of it as it stands, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aims_mlops import api
from aims_mlops.api.anchoring import anchors_of
from aims_mlops.evidence.anchors import Anchor
from aims_mlops.evidence.checkpoint import Checkpoint, cosign
from aims_mlops.evidence.log import Head
from aims_mlops.model.digest import Digest
from tests.api.logs import LogSigner, LogWorld
from tests.builders import key

FIRST = 1_795_000_000.0
THEN = datetime.fromtimestamp(FIRST, UTC)
LATER = timedelta(hours=1)


@pytest.fixture
def logged(tmp_path: Path) -> Iterator[LogWorld]:
    made = LogWorld(tmp_path)
    yield made
    made.close()


def test_a_log_that_nobody_outside_saw_has_no_anchor(logged: LogWorld) -> None:
    logged.write(2)
    assert anchors_of(logged.services) == ()
    logged.department("risk")
    logged.checkpoint()

    assert anchors_of(logged.services) == ()


def test_each_cosigned_checkpoint_is_an_anchor_with_its_size_and_the_witness_s_time(logged: LogWorld) -> None:
    risk = logged.department("risk")
    logged.write(2)
    logged.checkpoint()
    api.cosign_at(logged.services, risk)
    logged.write(3)
    logged.checkpoint()
    risk.now += LATER.total_seconds()
    api.cosign_at(logged.services, risk)

    assert anchors_of(logged.services) == (
        Anchor("cosignature", "w/risk", 2, THEN),
        Anchor("cosignature", "w/risk", 5, THEN + LATER),
    )


def test_a_quorum_of_two_counts_from_the_second_witness_on(logged: LogWorld) -> None:
    risk, audit = logged.department("risk", now=FIRST + LATER.total_seconds()), logged.department("audit")
    logged.settings = replace(logged.settings, quorum=2)
    logged.write()
    logged.checkpoint()
    api.cosign_at(logged.services, audit)
    assert anchors_of(logged.services) == ()

    api.cosign_at(logged.services, risk)

    assert anchors_of(logged.services) == (Anchor("cosignature", "w/risk", 1, THEN + LATER),)


def test_a_witness_that_is_trusted_no_longer_anchors_nothing(logged: LogWorld) -> None:
    risk = logged.department("risk")
    logged.write()
    logged.checkpoint()
    api.cosign_at(logged.services, risk)
    logged.settings = replace(logged.settings, witnesses=())

    assert anchors_of(logged.services) == ()


def test_without_a_log_section_nothing_is_an_anchor(logged: LogWorld) -> None:
    services = logged.services
    logged.write()

    assert anchors_of(replace(services, project=replace(services.project, log=None))) == ()


def test_a_cosigned_root_that_is_not_this_log_s_is_no_anchor(logged: LogWorld) -> None:
    """Whoever holds the log's key can have another history cosigned and put it beside this one."""
    risk = logged.department("risk")
    logged.write(2)
    forged = Checkpoint(logged.log_key.name, 2, bytes(32)).sign(logged.log_key, LogSigner().sign)
    line = cosign(forged, risk.key, key("risk", algorithm="ed25519").sign, time=int(FIRST))
    note = forged.with_signatures([line])
    logged.store.keep_checkpoint(note.to_bytes(), size=2)

    assert anchors_of(logged.services) == ()


def test_a_damaged_log_has_no_anchor(logged: LogWorld) -> None:
    risk = logged.department("risk")
    logged.write(2)
    logged.checkpoint()
    api.cosign_at(logged.services, risk)
    assert anchors_of(logged.services)
    leaf = next(iter(logged.store.leaves()))
    logged.store.pin(Head(5, Digest.of(leaf)))

    assert anchors_of(logged.services) == ()


@pytest.mark.parametrize("time", [0, 2**63 - 1], ids=["no time at all", "beyond the calendar"])
def test_a_cosignature_without_a_time_that_can_be_is_no_anchor(logged: LogWorld, time: int) -> None:
    risk = logged.department("risk")
    logged.write()
    signed = logged.checkpoint().signed
    line = cosign(signed.note, risk.key, key("risk", algorithm="ed25519").sign, time=time)
    logged.store.keep_checkpoint(signed.note.with_signatures([line]).to_bytes(), size=1)

    assert anchors_of(logged.services) == ()
