"""The use cases, over ports: check, gate, promote, and what is asked about evidence. The door for drivers and hooks."""

from aims_mlops.api.checking import check
from aims_mlops.api.evidence import Row, Trouble, Verification, list_evidence, pin_head, show, verify
from aims_mlops.api.exporting import export
from aims_mlops.api.keeping import Gatekeeper
from aims_mlops.api.promoting import gate, promote, promotion
from aims_mlops.api.refusing import refuse
from aims_mlops.api.register import SystemEntry, system, systems
from aims_mlops.api.services import Services, Unclaimed
from aims_mlops.evidence import manifest

__all__ = [
    "Gatekeeper",
    "Row",
    "Services",
    "SystemEntry",
    "Trouble",
    "Unclaimed",
    "Verification",
    "check",
    "export",
    "gate",
    "list_evidence",
    "manifest",
    "pin_head",
    "promote",
    "promotion",
    "refuse",
    "show",
    "system",
    "systems",
    "verify",
]
