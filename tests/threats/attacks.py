"""The threat table: each attack by name, what it needs, what is done, which command finds it, and what that says.

`docs/explanation/threats.md` names every one of them; a test holds the two to each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.threats import on_log as log
from tests.threats import on_models as models
from tests.threats import on_pack as pack
from tests.threats import on_statements as statements
from tests.threats import on_trust as trust
from tests.threats.world import KEPT, LATER, PACK, URL, World

VERIFY = ("evidence", "verify")
MODEL = ("evidence", "verify", "loan/1")
OTHER = ("evidence", "verify", "loan/2")
ALIAS = ("evidence", "verify", "loan@champion")
LOG = ("log", "verify")
AUDITOR = ("log", "verify", "--checkpoint", KEPT)
LATEST = ("log", "verify", "--checkpoint", LATER)
WITNESS = ("log", "witness", URL)
PACKED = ("pack", "verify", PACK, "--trust", "auditor/trust.json")
GATE = ("gate", "loan/1", "--to", "champion")

DATABASE = "the evidence store's database"
HOST = "every file of the host, and no key"
LOG_KEY = "every file of the host and the log's key"
RESULT_KEY = "the pipeline's key and passphrase"
OWN_KEY = "a key that aims.yaml knows"
NO_KEY = "the database and a key of one's own"
CONFIG = "aims.yaml and the folder of keys"
FILES = "the model's files"
ON_THE_WAY = "the pack on its way"
PACKER = "the key of who may sign packs"
REGISTRY = "MLflow's database"

UNVERIFIED, USAGE, SHUT = 4, 2, 1


@dataclass(frozen=True)
class Attack:
    """One attack. `word` is the word of the trouble that is told, and `says` a part of what is told with it."""

    id: str
    holds: str
    does: Callable[[World], None]
    command: tuple[str, ...]
    word: str
    says: str
    code: int = UNVERIFIED


ATTACKS = (
    # A statement is edited
    Attack("statement-edited", DATABASE, statements.edit_row, VERIFY, "tampered", "is not the one that was appended"),
    Attack("statement-edited-and-chained", HOST, statements.edit_and_chain, VERIFY, "untrusted", "is not signed by"),
    Attack("statement-edited-and-chained/log", HOST, statements.edit_and_chain, LOG, "tampered", "was rewritten"),
    Attack("statement-re-encoded", HOST, statements.re_encode, VERIFY, "tampered", "not in canonical form"),
    Attack("statement-deleted", DATABASE, log.sql("delete from aims_envelope"), VERIFY, "hole", "of leaf 0 is gone"),
    Attack("signature-flipped", HOST, statements.flip_signature, VERIFY, "untrusted", "is not signed by anyone"),
    Attack("signature-taken-away", HOST, statements.take_signatures_away, VERIFY, "tampered", "no signature"),
    Attack("signature-mirrored", HOST, statements.mirror_signature, LOG, "tampered", "the log was rewritten"),
    # Whose key, which algorithm
    Attack("key-id-swapped", HOST, statements.swap_key_id, LOG, "tampered", "the log was rewritten"),
    Attack("key-id-of-another", HOST, statements.sign_in_anothers_name, VERIFY, "untrusted", "is not signed by anyone"),
    Attack("key-in-envelope", HOST, statements.bring_the_key, VERIFY, "tampered", "a signature has sig and"),
    Attack("algorithm-in-envelope", HOST, statements.confuse_algorithms, VERIFY, "tampered", "a signature has sig and"),
    # Two readers, two meanings
    Attack("payload-type", HOST, statements.other_payload_type, VERIFY, "tampered", "payload type is not"),
    Attack("base64-alphabet", HOST, statements.url_safe, LOG, "tampered", "the log was rewritten"),
    Attack("base64-stray-bits", HOST, statements.stray_bits, VERIFY, "tampered", "base64 with stray bits"),
    Attack("leaf-of-another-kind", HOST, statements.other_leaf_type, VERIFY, "tampered", "not about what the leaf"),
    Attack("json-key-twice", RESULT_KEY, statements.duplicate_key, VERIFY, "tampered", "not strict JSON"),
    Attack("json-nan", RESULT_KEY, statements.not_a_number, VERIFY, "tampered", "not strict JSON"),
    Attack("json-escapes", RESULT_KEY, statements.escaped_letters, VERIFY, "tampered", "not in canonical form"),
    Attack("json-depth", RESULT_KEY, statements.deep_nesting, VERIFY, "tampered", "not strict JSON"),
    Attack(
        "predicate-unknown", RESULT_KEY, statements.unknown_predicate, VERIFY, "tampered", "is not a kind of statement"
    ),
    Attack("subjects-two", RESULT_KEY, statements.two_subjects, VERIFY, "tampered", "too many values"),
    Attack("statement-type", RESULT_KEY, statements.other_statement_type, VERIFY, "tampered", "_type is not"),
    # Who signs
    Attack("signed-by-outsider", NO_KEY, trust.result_by_outsider, VERIFY, "untrusted", "is not signed by anyone"),
    Attack("signed-by-wrong-role", OWN_KEY, trust.result_by("risk-officer"), VERIFY, "untrusted", "check-result"),
    Attack("signed-by-inactive", OWN_KEY, trust.result_by("former"), VERIFY, "untrusted", "check-result"),
    Attack("signed-by-log-key", LOG_KEY, trust.result_by("the-log"), VERIFY, "untrusted", "check-result"),
    Attack("decision-by-owner", OWN_KEY, trust.decision_by_owner, VERIFY, "untrusted", "gate-decision"),
    Attack("waiver-by-untrusted", OWN_KEY, trust.approval_by_owner, VERIFY, "untrusted", "waiver"),
    Attack("waiver-self-approved", OWN_KEY, trust.approve_own, VERIFY, "untrusted", "asked for it"),
    Attack("waiver-endless", OWN_KEY, trust.endless_waiver, GATE, "failed", "drift-strict failed", SHUT),
    # Keys and aims.yaml
    Attack("key-low-order", CONFIG, trust.put_key("the-log", trust.low_order_key()), LOG, "", "of small order", USAGE),
    Attack("key-private", CONFIG, trust.put_key("pipeline", trust.private_pem()), VERIFY, "", "a PRIVATE key", USAGE),
    Attack("key-of-two-people", CONFIG, trust.same_key_twice, VERIFY, "", "is enrolled for 'loan-owner'", USAGE),
    Attack("key-of-log-trusted", CONFIG, trust.log_key_signs_evidence, VERIFY, "", "log's key must be another", USAGE),
    Attack("witness-twice", CONFIG, trust.witness_twice, LOG, "", "witness's key stands here already", USAGE),
    Attack("key-file-replaced", CONFIG, trust.own_key("pipeline"), VERIFY, "untrusted", "is not signed by anyone"),
    Attack("log-key-replaced", CONFIG, trust.own_key("the-log"), LOG, "untrusted", "not signed by a key of the log"),
    Attack("policy-text-swapped", DATABASE, trust.swap_text("policy"), VERIFY, "tampered", "the stored text"),
    Attack("manifest-text-swapped", DATABASE, trust.swap_text("manifest"), VERIFY, "tampered", "the stored text"),
    Attack("policy-text-deleted", DATABASE, trust.drop_text, VERIFY, "hole", "the text of the policy"),
    # Evidence that does not belong
    Attack("evidence-of-another-registry", OWN_KEY, trust.of_another_registry, VERIFY, "mismatched", "registry"),
    Attack("evidence-moved-to-version", HOST, trust.of_another_version, OTHER, "untrusted", "is not signed by anyone"),
    Attack("evidence-moved-to-policy", HOST, trust.of_another_policy, VERIFY, "untrusted", "is not signed by anyone"),
    Attack("evidence-moved-to-data", HOST, trust.of_other_data, VERIFY, "untrusted", "is not signed by anyone"),
    Attack("policy-laxer-afterwards", CONFIG, trust.laxer_policy, GATE, "stale", "drift-strict is stale", SHUT),
    Attack("old-pass-again", DATABASE, log.append_again, VERIFY, "tampered", "repeats the statement of leaf 1"),
    # The terms of keys, and times
    Attack("key-stolen-back-dated", NO_KEY, trust.stolen_and_revoked, VERIFY, "untrusted", "no outside anchor before"),
    Attack("key-ended", OWN_KEY, trust.ended, VERIFY, "untrusted", "and the key ended at"),
    Attack("key-not-valid-yet", OWN_KEY, trust.not_yet, VERIFY, "untrusted", "and the key is valid from"),
    Attack("measured-tomorrow", RESULT_KEY, trust.measured_tomorrow, VERIFY, "untrusted", "lies after it was recorded"),
    # A pack
    Attack("pack-byte-changed", ON_THE_WAY, pack.flip("index.csv"), PACKED, "tampered", "its bytes are not"),
    Attack("pack-statement-changed", ON_THE_WAY, pack.flip("statements/*"), PACKED, "tampered", "its bytes are not"),
    Attack("pack-index-changed", ON_THE_WAY, pack.edit_index, PACKED, "untrusted", "for a pack"),
    Attack("pack-index-respelled", ON_THE_WAY, pack.respell, PACKED, "tampered", "not in the form in which"),
    Attack("pack-file-added", ON_THE_WAY, pack.add, PACKED, "tampered", "somebody added it"),
    Attack("pack-file-removed", ON_THE_WAY, pack.take_away, PACKED, "tampered", "somebody took it away"),
    Attack("pack-file-linked", ON_THE_WAY, pack.link, PACKED, "tampered", "no plain file"),
    Attack("pack-zip-slip", ON_THE_WAY, pack.zip_slip, PACKED, "tampered", "aims.yaml"),
    Attack("pack-verifier-replaced", ON_THE_WAY, pack.replace_verifier, PACKED, "tampered", "verify.py"),
    Attack("pack-key-replaced", ON_THE_WAY, pack.replace_key, PACKED, "tampered", "keys/pipeline"),
    Attack("pack-proofs-swapped", ON_THE_WAY, pack.swap_proofs, PACKED, "tampered", "proofs/"),
    Attack("pack-signed-by-outsider", ON_THE_WAY, pack.edited_and_listed(own=True), PACKED, "untrusted", "for a pack"),
    Attack("pack-statement-edited-and-listed", PACKER, pack.edited_and_listed(), PACKED, "tampered", "statements/"),
    Attack("pack-name-outside", PACKER, pack.name_outside, PACKED, "tampered", "is no name of a file in a pack"),
    Attack(
        "pack-checkpoint-of-another-tree",
        PACKER,
        pack.another_checkpoint,
        PACKED,
        "tampered",
        "does not begin with that of",
    ),
    # The model's files and the registry
    Attack("file-changed", FILES, models.change, MODEL, "mismatched", "changed: code/own_model.py"),
    Attack("file-added", FILES, models.add, MODEL, "mismatched", "added: sitecustomize.py"),
    Attack("file-removed", FILES, models.remove, MODEL, "mismatched", "removed: code/own_model.py"),
    Attack("file-linked", FILES, models.link, MODEL, "mismatched", "own_model.py"),
    Attack("file-pipe", FILES, models.pipe, MODEL, "mismatched", "weights"),
    Attack("file-renamed-by-case", FILES, models.rename_case, MODEL, "mismatched", "added: code/Own_Model.py"),
    Attack("file-case-twin", FILES, models.case_twins, MODEL, "mismatched", "OWN_MODEL.py"),
    Attack("file-unicode-twin", FILES, models.twins, MODEL, "mismatched", "caf"),
    Attack("file-newline", FILES, models.newline_name, MODEL, "mismatched", "MLmodel"),
    Attack("file-hidden-in-meta", FILES, models.abuse_meta, MODEL, "mismatched", "added: registered_model_meta"),
    Attack(
        "version-re-pointed",
        REGISTRY,
        models.registry("update model_versions set source = '{folder}/other-model', storage_location = null"),
        MODEL,
        "mismatched",
        "the files are not those that were checked",
    ),
    Attack(
        "version-registered-anew",
        REGISTRY,
        models.registry("update model_versions set creation_time = creation_time + 60000"),
        MODEL,
        "mismatched",
        "another registration",
    ),
    Attack(
        "alias-moved",
        REGISTRY,
        models.registry("update registered_model_aliases set version = 2"),
        ALIAS,
        "unproved",
        "without right",
    ),
    # The log
    Attack("leaf-edited", DATABASE, log.back_date_row, VERIFY, "tampered", "does not follow from the one before it"),
    Attack(
        "leaf-nonsense", DATABASE, log.sql("update aims_leaf set leaf = 'no' where seq = 1"), VERIFY, "tampered", ""
    ),
    Attack("leaf-deleted", DATABASE, log.sql("delete from aims_leaf where seq = 2"), VERIFY, "hole", "comes leaf 3"),
    Attack("leaves-exchanged", DATABASE, log.exchange, VERIFY, "hole", "comes leaf 2"),
    Attack(
        "leaf-deleted-and-renumbered",
        DATABASE,
        log.sql("delete from aims_leaf where seq = 2", "update aims_leaf set seq = seq - 1 where seq > 2"),
        VERIFY,
        "hole",
        "after leaf 1 comes leaf 3",
    ),
    Attack("tail-cut", DATABASE, log.sql("delete from aims_leaf where seq > 5"), VERIFY, "hole", "its tail is cut off"),
    Attack("tail-cut-with-head", HOST, log.cut_with_head, LOG, "hole", "its tail is cut off"),
    Attack("everything-deleted", DATABASE, log.sql("delete from aims_leaf"), VERIFY, "hole", "its tail is cut off"),
    Attack("head-deleted", HOST, log.delete_head, VERIFY, "hole", "no head of it is kept outside the store"),
    Attack("head-nonsense", HOST, log.write_head, VERIFY, "", "aims.db.head: head: not strict JSON"),
    Attack(
        "log-of-another-registry", DATABASE, log.another_registrys_log, VERIFY, "tampered", "leaf 0 does not follow"
    ),
    Attack("log-chained-anew", HOST, log.drop, LOG, "hole", "a checkpoint of 8 was signed"),
    Attack("log-chained-anew/seen", HOST, log.drop, VERIFY, "mismatched", "the decision saw"),
    Attack("log-back-dated", HOST, log.back_date, LOG, "tampered", "the log was rewritten"),
    Attack("intent-dropped", HOST, log.drop_intent, VERIFY, "mismatched", "which is not in the log"),
    Attack("backup-restored", HOST, log.restore_backup, LATEST, "hole", "a checkpoint of 8 was signed"),
    Attack("backup-restored/witness", HOST, log.restore_backup, WITNESS, "", "saw 8 leaves of this log"),
    Attack("fork", HOST, log.fork, LATEST, "tampered", "forked from an old copy"),
    Attack("rewritten-with-log-key", LOG_KEY, log.rewrite_with_log_key, AUDITOR, "tampered", "the log was rewritten"),
    Attack("rewritten-with-log-key/witness", LOG_KEY, log.two_histories, WITNESS, "", "two histories"),
    Attack("two-histories", LOG_KEY, log.two_histories, LATEST, "tampered", "it showed two histories"),
    Attack("run-held-back", HOST, log.hold_back, VERIFY, "observed", "has no result for drift-strict", 0),
    # Tiles, checkpoints, witnesses
    Attack("tile-forged", DATABASE, log.tile, LOG, "tampered", "over leaves that are not there"),
    Attack("checkpoint-edited", HOST, log.edit_checkpoint, LOG, "tampered", "does not hold"),
    Attack("checkpoint-of-another-log", LOG_KEY, log.other_origin, LOG, "tampered", "of the log 'aims-mlops/other'"),
    Attack("checkpoint-by-outsider", HOST, log.checkpoint_by_stranger, LOG, "untrusted", "not signed by a key of"),
    Attack("checkpoint-by-witness", HOST, log.checkpoint_by_witness, LOG, "untrusted", "not signed by a key of"),
    Attack("checkpoint-outside-deleted", HOST, log.delete_outside, LOG, "hole", "none is kept outside it"),
    Attack("checkpoint-outside-nonsense", HOST, log.nonsense_outside, LOG, "tampered", "note:"),
    Attack("cosignature-forged", HOST, log.bad_cosignature, LOG, "tampered", "aims-witness/audit does not hold"),
    Attack("witness-unknown", HOST, log.unknown_witness, LOG, "", "UNWITNESSED", 5),
)
