"""A witness: the published conversation, every refusal, and that nothing makes it cosign two histories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aims_mlops.errors import VerificationError
from aims_mlops.evidence import merkle
from aims_mlops.evidence.checkpoint import Checkpoint
from aims_mlops.evidence.ed25519 import enrolled
from aims_mlops.evidence.merkle import Tree
from aims_mlops.evidence.note import ED25519, VerifierKey
from aims_mlops.evidence.witnessing import SIZE_TYPE, AddCheckpoint, Ruling, Seen, judge, seen_from_bytes, seen_to_bytes
from tests.builders import key

# FiloSottile/torchwood, cmd/litewitness/testdata/litewitness.txt: a log of sigsum, asked in this order.
SIGSUM = "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"
SIGSUM_KEY = VerifierKey(
    SIGSUM, ED25519, enrolled(bytes.fromhex("ffdc2d4d98e4124d3feaf788c0c2f9abfd796083d1f0495437f302ec79cf100f"))
)
ROOTS = {
    1: "KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    3: "RcCI1Nk56ZcSmIEfIn0SleqtV7uvrlXNccFx595Iwl0=",
    5: "QrtXrQZCCvpIgsSmOsah7HdICzMLLyDfxToMql9WTjY=",
}
SIGNATURES = {
    1: "UgIom7fPZTqpxWWhyjWduBvTvGVqsokMbqTArsQilegKoFBJQjUFAmQ0+YeSPM3wfUQMFSzVnnNuWRTYrajXpNUbIQY=",
    3: "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6go=",
    5: "UgIomw/EOJmWi0i1FQsOj+etB7F8IccFam/jgd6wzRns4QPVmyEZtdvl1U2KEmLOZ/ASRcWJi0tW90dJWAShei7sDww=",
}
BAD = "UgIom2VbtIcdFbwFAy1n7s6IkAxIY6J/GQOTuZF2ORV39d75cbAj2aQYwyJre36kezNobZs4SUUdrcawfAB8WVrx6gx="
FIVE = "UgIom4JTC2MerrFcJ5xDcWHzRPVB6zzGBIw4OFqcKDflqjH4q4xY5vMxUxyczvdIlEwFYf7ivQU4KoWan2bLmzLx0go="
PROOF_1_3 = ["KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
WRONG_1_3 = [PROOF_1_3[0], "KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABA="]
PROOF_1_5 = [
    PROOF_1_3[0],
    "+fUDV+k970B4I3uKrqJM4aP1lloPZP8mvr2Z4wRw2LI=",
    "KgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
]
PROOF_3_5 = [
    PROOF_1_3[1],
    "KgMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "wgiIFdZfYNv6WU1OllBKsWnLYIS/DBMqt8Uh/S4OukE=",
    PROOF_1_5[2],
]


def asked(
    old: int, size: int, proof: Sequence[str] = (), *, signature: str = "", origin: str = SIGSUM, said: str = ""
) -> bytes:
    head = "".join(f"{line}\n" for line in (f"old {old}", *proof, ""))
    text = f"{origin}\n{said or size}\n{ROOTS[1] if said else ROOTS[size]}\n"
    return f"{head}{text}\n— {origin} {signature or SIGNATURES[size]}\n".encode()


CONVERSATION = [
    (asked(0, 1), 200, ""),
    (asked(1, 3, PROOF_1_3, signature=BAD), 400, "stray bits"),
    (asked(1, 3, PROOF_1_3, signature=BAD.replace("6gx=", "6gw=")), 403, "no key that is known"),
    (asked(1, 3, PROOF_1_3, origin=SIGSUM[:-1] + "3"), 404, "is not known here"),
    (asked(1, 3), 422, "consistency"),
    (asked(1, 3, WRONG_1_3), 422, "consistency"),
    (asked(1, 3, PROOF_1_3), 200, ""),
    (asked(1, 5, PROOF_1_5), 409, "3"),
    (asked(3, 5, PROOF_3_5), 200, ""),
    (asked(0, 5), 409, "5"),
    (asked(5, 5).partition(b"\n\n\xe2\x80\x94")[0] + b"\n", 400, "note"),
    (asked(5, 5, said="five", signature=FIVE), 400, "leading zeros"),
]


def test_the_published_conversation_goes_as_published() -> None:
    """One answer differs in its number: base64 with stray bits is refused here as no note at all, there as forged."""
    seen: dict[str, Seen] = {}
    for body, status, text in CONVERSATION:
        ruling = judge(body, {SIGSUM: [SIGSUM_KEY]}, seen)
        assert (ruling.status, text in ruling.text) == (status, True), ruling
        if ruling.seen is not None:
            seen[ruling.origin] = ruling.seen
    assert seen[SIGSUM].size == 5


# Our own log

ORIGIN = "aims-mlops/a-log"
SIGNER = key("log", algorithm="ed25519")
LOG = {ORIGIN: [VerifierKey(ORIGIN, ED25519, SIGNER.public)]}
TREE = Tree(b"leaf %d" % number for number in range(60))
FORK = Tree(b"leaf %d" % (number if number < 9 else -number) for number in range(60))


def ask(
    old: int, size: int, *, tree: Tree = TREE, seen: Mapping[str, Seen] | None = None, proof: list[bytes] | None = None
) -> Ruling:
    signed = Checkpoint(ORIGIN, size, merkle.root(tree, size)).sign(LOG[ORIGIN][0], SIGNER.sign)
    made = merkle.prove_consistency(tree, old, size) if proof is None and old <= size else proof or []
    return judge(AddCheckpoint(old, tuple(made), signed.to_bytes()).to_bytes(), LOG, seen or {})


def at(size: int, tree: Tree = TREE) -> dict[str, Seen]:
    return {ORIGIN: Seen(size, merkle.root(tree, size))}


def test_a_fork_is_refused_by_its_size_or_by_its_proof() -> None:
    assert ask(20, 20, tree=FORK, seen=at(20)).status == HTTPStatus.CONFLICT
    assert ask(20, 40, tree=FORK, seen=at(20)).status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert ask(20, 40, tree=FORK, seen=at(20), proof=merkle.prove_consistency(TREE, 20, 40)).status == 422
    assert ask(9, 9, tree=FORK, seen=at(9)).status == HTTPStatus.OK  # the same leaves so far


def test_an_older_checkpoint_is_refused() -> None:
    assert ask(10, 10, seen=at(20)).text == "20"
    assert ask(20, 10, seen=at(20)).status == HTTPStatus.BAD_REQUEST
    assert ask(0, 30, seen=at(20)).content_type == SIZE_TYPE


def test_the_same_checkpoint_may_be_cosigned_again() -> None:
    assert ask(20, 20, seen=at(20)).status == HTTPStatus.OK
    assert ask(20, 20, seen=at(20), proof=[merkle.root(TREE, 20)]).status == HTTPStatus.UNPROCESSABLE_ENTITY


def test_the_first_checkpoint_needs_no_proof_and_takes_none() -> None:
    assert ask(0, 20).status == HTTPStatus.OK
    assert ask(0, 20, proof=[merkle.root(TREE, 20)]).status == HTTPStatus.UNPROCESSABLE_ENTITY
    assert ask(0, 0).status == HTTPStatus.OK


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 60), st.integers(0, 60)), max_size=25))
@settings(max_examples=60, deadline=None)
def test_a_witness_never_cosigns_two_histories(requests: list[tuple[bool, int, int]]) -> None:
    seen: dict[str, Seen] = {}
    cosigned: list[Seen] = []
    for forked, old, size in requests:
        ruling = ask(old, size, tree=FORK if forked else TREE, seen=seen)
        if ruling.seen is not None:
            seen[ruling.origin] = ruling.seen
            cosigned.append(ruling.seen)
    sizes = [item.size for item in cosigned]
    assert sizes == sorted(sizes)
    assert any(all(item.root == merkle.root(tree, item.size) for item in cosigned) for tree in (TREE, FORK))


def test_what_was_seen_comes_back() -> None:
    assert seen_from_bytes(seen_to_bytes(at(20))) == at(20)
    assert seen_from_bytes(seen_to_bytes({})) == {}


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b'{"logs":{},"v":2}',
        b'{"logs":[],"v":1}',
        b'{"logs":{"a":{"root":"00","size":1}},"v":1}',
        b'{"logs":{"a":{"root":"' + b"0" * 64 + b'","size":true}},"v":1}',
        b'{"logs":{"a":{"size":1}},"v":1}',
    ],
)
def test_another_state_is_refused(content: bytes) -> None:
    with pytest.raises(VerificationError, match="the witness's state"):
        seen_from_bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"old 1\n",
        b"new 1\n\n",
        b"old 01\n\n",
        b"old 1\nAAAA\n\n",
        b"old 1\n" + b"A" * 43 + b"=\n" * 64 + b"\n",
        b"x" * 300_000,
    ],
)
def test_another_request_is_refused(content: bytes) -> None:
    assert judge(content, LOG, {}).status == HTTPStatus.BAD_REQUEST
