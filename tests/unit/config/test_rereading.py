"""A policy read again from its text measures as the one that was written down, or is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from aims_mlops import wiring
from aims_mlops.config import load, reread
from aims_mlops.errors import ConfigError
from aims_mlops.evidence.canonical import canonical
from aims_mlops.model.digest import Digest
from aims_mlops.model.policy import Policy

INCOME = Path(__file__).resolve().parents[3] / "examples" / "income"


@pytest.fixture(scope="module")
def written() -> Policy:
    return load(INCOME / "aims.yaml", wiring.checks()).systems[0].policy


def again(text: bytes, ids: list[str], files: Mapping[str, bytes]) -> Policy:
    def file(name: str, digest: Digest) -> bytes | None:
        content = files.get(name)
        return content if content is not None and Digest.of(content) == digest else None

    return reread(text, ids, root=INCOME, checks=wiring.checks(), file=file)


def test_the_checks_data_and_files_of_the_example_are_read_as_they_were_written(written: Policy) -> None:
    ids = [spec.id for spec in written.checks]
    made = again(written.text, ids, written.files)
    assert made.digest == written.digest
    assert {spec.name: spec for spec in made.datasets} == {spec.name: spec for spec in written.datasets}
    assert made.files == written.files
    assert [spec.id for spec in made.checks] == ids
    for one, other in zip(made.checks, written.checks, strict=True):
        assert (one.use, one.options, one.datasets, one.decide_on) == (
            other.use,
            other.options,
            other.datasets,
            other.decide_on,
        )


def changed(written: Policy, **changes: Any) -> bytes:
    return canonical({**json.loads(written.text), **changes})


def test_only_the_checks_that_are_asked_for_are_read(written: Policy) -> None:
    text = json.loads(written.text)
    id_ = written.checks[0].id
    text["checks"]["foreign"] = {**text["checks"][id_], "use": "foreign"}
    assert [spec.id for spec in again(canonical(text), [id_], written.files).checks] == [id_]
    with pytest.raises(ConfigError, match="no check 'foreign' is installed"):
        again(canonical(text), ["foreign"], written.files)


def test_an_option_that_is_read_otherwise_now_is_refused(written: Policy) -> None:
    text, id_ = json.loads(written.text), written.checks[0].id
    options = text["checks"][id_]["options"]
    del options[next(name for name in options if options[name] in (None, False, True))]
    with pytest.raises(ConfigError, match="reads other options"):
        again(canonical(text), [id_], written.files)


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"schema":"aims.policy/2"}'], ids=str)
def test_what_is_no_policy_is_refused(text: bytes) -> None:
    with pytest.raises(ConfigError, match="cannot be read by this version"):
        again(text, [], {})


def test_a_check_that_the_text_does_not_have_is_refused(written: Policy) -> None:
    with pytest.raises(ConfigError, match="cannot be read by this version"):
        again(written.text, ["never"], written.files)


def test_a_file_that_is_not_there_as_it_was_is_refused(written: Policy) -> None:
    (name,) = written.files
    (id_,) = [spec.id for spec in written.checks if spec.use == "data-quality"]
    for files in ({}, {name: b"others"}):
        with pytest.raises(ConfigError, match=f"the file {name} is not there any more as it was"):
            again(written.text, [id_], files)
