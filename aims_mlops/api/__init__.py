"""The use cases, over ports: check, gate, promote, and what is asked about evidence. The door for drivers and hooks."""

from aims_mlops.api.administering import ApplyReport, Flip, apply
from aims_mlops.api.applying import Applied, AppliedConfiguration, NotApplied
from aims_mlops.api.checking import check
from aims_mlops.api.checkpointing import Checkpointed, checkpoint
from aims_mlops.api.consuming import prove, verified_copy, verify_live
from aims_mlops.api.cosigning import Cosigned, cosign_at
from aims_mlops.api.covering import CoverageReport, SystemCoverage, VersionCoverage, coverage
from aims_mlops.api.erasing import Erased, Why, erase
from aims_mlops.api.evidence import Row, Verification, list_evidence, pin_head, show, verify
from aims_mlops.api.exporting import export
from aims_mlops.api.freezing import newest_statement, protection, versions_with_evidence
from aims_mlops.api.giving_away import Given, give, to_send
from aims_mlops.api.handing_in import Intake, NotAccepted, hand_in, keep_blob
from aims_mlops.api.keeping import Gatekeeper
from aims_mlops.api.known_log import KnownLog
from aims_mlops.api.log_identity import identity
from aims_mlops.api.log_proving import Proved, prove_logged
from aims_mlops.api.log_verifying import LogVerification, verify_checkpoints
from aims_mlops.api.packing import Pack, build_pack, pack_trust
from aims_mlops.api.promoting import gate, promote, promotion
from aims_mlops.api.refusing import refuse
from aims_mlops.api.register import SystemEntry, system, systems
from aims_mlops.api.replaying import Replay, ReplayReport, replay
from aims_mlops.api.services import Services, Unclaimed
from aims_mlops.api.serving import Server, ServerGatekeeper
from aims_mlops.api.showing_then import Stood, SystemThen, system_then
from aims_mlops.api.stamping import must_stamp, stamp_newest
from aims_mlops.api.stamps import Stamp
from aims_mlops.api.troubles import Trouble
from aims_mlops.api.waiver_list import list_waivers
from aims_mlops.api.waiving import WaiverRefused, approve_waiver, request_waiver, revoke_waiver
from aims_mlops.api.watching import WatchReport, watch
from aims_mlops.evidence import manifest
from aims_mlops.evidence.pasted import pasted

__all__ = [
    "Applied",
    "AppliedConfiguration",
    "ApplyReport",
    "Checkpointed",
    "Cosigned",
    "CoverageReport",
    "Erased",
    "Flip",
    "Gatekeeper",
    "Given",
    "Intake",
    "KnownLog",
    "LogVerification",
    "NotAccepted",
    "NotApplied",
    "Pack",
    "Proved",
    "Replay",
    "ReplayReport",
    "Row",
    "Server",
    "ServerGatekeeper",
    "Services",
    "Stamp",
    "Stood",
    "SystemCoverage",
    "SystemEntry",
    "SystemThen",
    "Trouble",
    "Unclaimed",
    "Verification",
    "VersionCoverage",
    "WaiverRefused",
    "WatchReport",
    "Why",
    "apply",
    "approve_waiver",
    "build_pack",
    "check",
    "checkpoint",
    "cosign_at",
    "coverage",
    "erase",
    "export",
    "gate",
    "give",
    "hand_in",
    "identity",
    "keep_blob",
    "list_evidence",
    "list_waivers",
    "manifest",
    "must_stamp",
    "newest_statement",
    "pack_trust",
    "pasted",
    "pin_head",
    "promote",
    "promotion",
    "protection",
    "prove",
    "prove_logged",
    "refuse",
    "replay",
    "request_waiver",
    "revoke_waiver",
    "show",
    "stamp_newest",
    "system",
    "system_then",
    "systems",
    "to_send",
    "verified_copy",
    "verify",
    "verify_checkpoints",
    "verify_live",
    "versions_with_evidence",
    "watch",
]
