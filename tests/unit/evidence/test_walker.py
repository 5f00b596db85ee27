"""A walk that stops and goes on finds what a walk in one go finds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_mlops.errors import VerificationError
from aims_mlops.evidence.canonical import canonical
from aims_mlops.evidence.log import Head, Leaf, Walker, genesis, walk
from aims_mlops.model.digest import Digest

REGISTRY = "registry"


def rows_of(count: int) -> list[bytes]:
    rows: list[bytes] = []
    prev = genesis(REGISTRY)
    for seq in range(count):
        leaf = Leaf(seq, prev, "t", Digest.of(b"p%d" % seq), Digest.of(b"e"), Digest.of(b"s%d" % (seq % 2)), "now")
        rows.append(leaf.to_bytes())
        prev = Digest.of(rows[-1])
    return rows


@st.composite
def tampered(draw: st.DrawFn) -> list[bytes]:
    """Rows of a log: as they were appended, or with some gone, doubled, exchanged or written over."""
    rows = rows_of(draw(st.integers(0, 8)))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(rows) - 1)) if rows else 0
        match draw(st.sampled_from(("delete", "double", "replay", "garbage", "move"))) if rows else "":
            case "delete":
                del rows[place]
            case "double":
                rows.insert(place, rows[place])
            case "replay":
                old = Leaf.from_bytes(rows_of(8)[place % 8])
                again = Leaf(len(rows), Digest.of(rows[-1]), "t", old.payload, old.envelope, old.subject, "later")
                rows.append(again.to_bytes())
            case "garbage":
                rows[place] = draw(st.binary(max_size=5))
            case "move":
                rows.append(rows.pop(place))
    return rows


@st.composite
def heads(draw: st.DrawFn, rows: list[bytes]) -> Head | None:
    if not rows or draw(st.booleans()):
        return draw(st.sampled_from((None, Head(3, Digest.of(b"other")))))
    place = draw(st.integers(0, len(rows) - 1))
    return Head(place, Digest.of(rows[place]))


@settings(max_examples=300, deadline=None)
@given(data=st.data(), rows=tampered())
def test_any_split_gives_the_same_leaves_and_faults(data: st.DataObject, rows: list[bytes]) -> None:
    head = data.draw(heads(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    walker = Walker(REGISTRY)

    for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        for row in rows[start:end]:
            walker.read(row)
        assert walker.walk(head) == walk(rows[:end], registry_id=REGISTRY, head=head)

    assert walker.walk(head) == walk(rows, registry_id=REGISTRY, head=head)


def test_a_replay_behind_a_stop_is_found_where_it_comes() -> None:
    rows = rows_of(5)
    walker = Walker(REGISTRY)
    for row in rows:
        walker.read(row)
    assert walker.faults == []
    old = Leaf.from_bytes(rows[1])

    walker.read(Leaf(5, Digest.of(rows[-1]), "t", old.payload, old.envelope, old.subject, "later").to_bytes())

    assert [(fault.kind, fault.seq) for fault in walker.faults] == [("tampered", 5)]
    assert walker.faults[0].what == "leaf 5 repeats the statement of leaf 1: a statement is appended once"


def test_a_row_that_is_no_leaf_is_told_by_its_return() -> None:
    walker = Walker(REGISTRY)

    assert walker.read(b"{}") is None
    assert [fault.what for fault in walker.faults] == ["row 0: leaf: not a leaf of version 1"]


def wire(**changes: Any) -> dict[str, Any]:
    return {**json.loads(rows_of(1)[0]), **changes}


@settings(max_examples=300, deadline=None)
@given(
    kind=st.text(max_size=20) | st.from_regex(r"[ -~]{0,20}", fullmatch=True),
    at=st.text(max_size=20) | st.just("2026-11-21T20:31:34.123Z"),
    seq=st.integers(-5, 2**53 - 1),
)
def test_a_leaf_is_read_the_same_however_it_is_spelled(kind: str, at: str, seq: int) -> None:
    """Most leaves are read by their form, the others by parsing: both must agree with what JSON says."""
    try:
        content = canonical(wire(type=kind, capturedAt=at, seq=seq))
    except ValueError:
        return  # lone surrogates have no canonical form

    leaf = Leaf.from_bytes(content)

    assert (leaf.type, leaf.captured_at, leaf.seq) == (kind, at, seq)
    assert leaf.to_bytes() == content


@pytest.mark.parametrize(
    "edit",
    [
        lambda row: row.replace(b'"seq":0', b'"seq":00'),
        lambda row: row.replace(b'"seq":0', b'"seq":-0'),
        lambda row: row.replace(b'"seq":0', b'"seq":0.0'),
        lambda row: row.replace(b'"v":1', b'"v":true'),
        lambda row: row.replace(b'"v":1', b'"v":1,"w":1'),
        lambda row: row.replace(b'"type":"t"', b'"type":"\\u0074"'),
        lambda row: row.replace(b'"type":"t"', b'"type":"\x1f"'),
        lambda row: row.replace(b'"type":"t"', b'"type":"t","type":"t"'),
        lambda row: row.replace(b"sha256:", b"sha256:A", 1),
        lambda row: row + b"\n",
        lambda row: b" " + row,
    ],
)
def test_another_spelling_of_a_leaf_is_refused(edit: Any) -> None:
    row = rows_of(1)[0]
    assert edit(row) != row

    with pytest.raises(VerificationError):
        Leaf.from_bytes(edit(row))


def test_a_text_of_any_length_is_read_by_parsing() -> None:
    content = canonical(wire(type="t" * 5000))

    assert Leaf.from_bytes(content).type == "t" * 5000


@pytest.mark.parametrize("seq", [-1, 0, 7, 10**14])
def test_a_head_is_read_by_its_form_as_by_parsing(seq: int) -> None:
    head = Head(seq, Digest.of(b"leaf"))

    assert Head.from_bytes(head.to_bytes()) == head
    for other in (head.to_bytes() + b"\n", head.to_bytes().replace(b":1}", b":true}"), b" " + head.to_bytes()):
        with pytest.raises(VerificationError):
            Head.from_bytes(other)
