"""Who outside saw the log, and when: the anchors that statements' times are held to.

Counted is only what is verified under keys that aims.yaml trusts, and what was seen of this very log: the root of as
many leaves, computed from the leaves as they were walked, must be the one that was seen. What does not hold is left
out here and told by `aims log verify`: an anchor that is missing never opens anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from aims_mlops.api.log_identity import Identity, found_checkpoints, identity
from aims_mlops.api.stamps import stamps
from aims_mlops.errors import UsageError, VerificationError
from aims_mlops.evidence import merkle
from aims_mlops.evidence.anchors import Anchor, cosigned
from aims_mlops.evidence.merkle import Tree

if TYPE_CHECKING:  # what judges by anchors is there
    from aims_mlops.api.services import Services

TIMESTAMP = "timestamp"
"""The kind of an anchor that an RFC 3161 authority made: the root of a checkpoint existed then."""


def anchors_of(services: Services) -> tuple[Anchor, ...]:
    """Return every anchor of the log as it stands, smallest first; none in a log with faults.

    A checkpoint is an anchor once as many trusted witnesses as `log.quorum` demands cosigned it, from the time on at
    which the last of these did: a single witness can not date it back alone where two are demanded.
    """
    try:
        who = identity(services)
    except UsageError:  # nobody signs this log: no checkpoint of it can be told from anything else
        return ()
    found = sorted(
        [*_cosigned(services, who), *_stamped(services, who)], key=lambda item: (item[0].size, item[0].at, item[0].by)
    )
    if not found:
        return ()
    walked = services.log.look()
    if walked.faults:
        return ()
    tree = services.log.tree(walked)
    return tuple(dict.fromkeys(anchor for anchor, root in found if _is_ours(tree, walked.size, anchor, root)))


def _is_ours(tree: Tree, size: int, anchor: Anchor, root: bytes) -> bool:
    return anchor.size <= size and merkle.root(tree, anchor.size) == root


def _cosigned(services: Services, who: Identity) -> Iterator[tuple[Anchor, bytes]]:
    """Yield what witnesses cosigned, and the root that they saw, of the checkpoints kept with the log and outside."""
    if not who.witnesses:
        return
    for content in found_checkpoints(services):
        anchor = _anchor(content, who)
        if anchor is not None:
            yield anchor


def _stamped(services: Services, who: Identity) -> Iterator[tuple[Anchor, bytes]]:
    """Yield what time stamp authorities stamped, and the root in it; nothing is asked of the store without them."""
    for stamp in stamps(services, who) if services.authorities else ():
        if stamp.by is not None and stamp.at is not None:
            yield Anchor(TIMESTAMP, stamp.by, stamp.size, stamp.at), stamp.root


@lru_cache(maxsize=4096)
def _anchor(content: bytes, who: Identity) -> tuple[Anchor, bytes] | None:
    """Read a checkpoint as an anchor; None where it is none. Its signatures are verified once in a process."""
    try:
        signed = who.open(content)
        anchor = cosigned(signed, who.witnesses, who.quorum)
    except VerificationError:
        return None
    return None if anchor is None else (anchor, signed.root)
