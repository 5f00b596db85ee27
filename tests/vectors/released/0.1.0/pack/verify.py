#!/usr/bin/env python3
"""Verifies a pack of evidence with Python's standard library alone: python3 verify.py PACK --trust FILE

FILE says whose signatures count. It is no part of the pack, and has to come by another way. Exits with 0 (VALID),
5 (VALID, and nobody outside has seen any of it), 4 (INVALID), 3 (INCOMPLETE, or no trust given), 2 (usage).
Checked: the index's signature and form; every file's bytes, and that no file is missing or added; each statement's
signature and who may sign it; that each leaf of the log names exactly this statement; that the leaves are in a
checkpoint that the log signed, and each checkpoint a beginning of the next; and who witnessed them. Not checked:
that statements are true; nor, as `aims pack verify` does, whether a decision saw more or a witness saw before its date.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

# Signatures: P-256 (FIPS 186-5) and Ed25519 (RFC 8032). Points are pairs, None is the neutral one. Nothing is secret.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Q = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, Q) % Q
P256_DER = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
ED_DER = bytes.fromhex("302a300506032b6570032100")
Point = Optional[Tuple[int, int]]


def refuse(wrong: object, what: str) -> None:
    """Raise ValueError where something is wrong."""
    if wrong:
        raise ValueError(what)


def p256_add(one: Point, other: Point) -> Point:
    """Add two points of P-256."""
    if one is None or other is None:
        return one or other
    if one[0] != other[0]:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, P) % P
    elif one == other:
        slope = 3 * (one[0] * one[0] - 1) * pow(2 * one[1], -1, P) % P
    else:
        return None
    x = (slope * slope - one[0] - other[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def ed_add(one: Point, other: Point) -> Point:
    """Add two points of edwards25519."""
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    t = D * x1 * x2 * y1 * y2 % Q
    inverse = pow((1 + t) * (1 - t), -1, Q)
    found = (x1 * y2 + x2 * y1) * (1 - t) * inverse % Q, (y1 * y2 + x1 * x2) * (1 + t) * inverse % Q
    return None if found == (0, 1) else found


def combined(a: int, one: Point, b: int, other: Point, plus: Callable[[Point, Point], Point]) -> Point:
    """Return a times one point plus b times another."""
    found, table = None, (None, one, other, plus(one, other))
    for place in range(255, -1, -1):
        found = plus(plus(found, found), table[(a >> place & 1) | (b >> place & 1) << 1])
    return found


def der(number: int) -> bytes:
    """Write a number in DER, in the one way there is."""
    content = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return bytes([2, len(content)]) + content


def p256_verifies(raw: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature in DER is of this message by the key x || y."""
    x, y = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    end = 4 + (signature[3] if len(signature) > 8 else 0)
    r, s = int.from_bytes(signature[4:end], "big"), int.from_bytes(signature[end + 2 :], "big")
    on_curve = len(raw) == 64 and x < P and y < P and (y * y - x * x * x + 3 * x - B) % P == 0
    strict = bytes([0x30, len(signature) - 2 & 0xFF]) + der(r) + der(s) == signature if max(r, s) < N else False
    if not on_curve or not strict or not r or not s:
        return False
    w, digest = pow(s, -1, N), int.from_bytes(hashlib.sha256(message).digest(), "big")
    found = combined(digest * w % N, G, r * w % N, (x, y), p256_add)
    return found is not None and found[0] % N == r


def ed_key(raw: bytes) -> Tuple[int, int]:
    """Read a public key; ValueError for one of small order, which proves nothing, and for any other form."""
    number = int.from_bytes(raw, "little")
    y, sign = number & (2**255 - 1), number >> 255
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, Q) % Q
    x = pow(x2, (Q + 3) // 8, Q)
    x = x if (x * x - x2) % Q == 0 else x * pow(2, (Q - 1) // 4, Q) % Q
    refuse(len(raw) != 32 or y >= Q or (x * x - x2) % Q or (x == 0 and sign), "no canonical point of edwards25519")
    point = (Q - x if x & 1 != sign else x), y
    refuse(combined(8, point, 0, None, ed_add) is None, "a key of small order")
    return point


ED_BASE = ed_key(bytes.fromhex("58" + "66" * 31))


def ed25519_verifies(raw: bytes, signature: bytes, message: bytes) -> bool:
    """Whether a signature is of this message by this raw key (without the cofactor, as OpenSSL does it)."""
    s = int.from_bytes(signature[32:], "little")
    try:
        x, y = ed_key(raw)
        refuse(len(signature) != 64 or s >= L, "no signature")
    except ValueError:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + raw + message).digest(), "little") % L
    x, y = combined(s, ED_BASE, k, (Q - x, y), ed_add) or (0, 1)
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


def verifies(key: Dict[str, Any], signature: bytes, message: bytes) -> bool:
    """Whether a key of the trust file signed a message. The algorithm is the trust file's, never an envelope's."""
    spki = base64.b64decode(key["spki"])
    if key["algorithm"] == "ecdsa-p256" and spki.startswith(P256_DER):
        return p256_verifies(spki[len(P256_DER) :], signature, message)
    return key["algorithm"] == "ed25519" and spki.startswith(ED_DER) and ed25519_verifies(spki[12:], signature, message)


# Bytes: JSON, envelopes (DSSE), signed notes and checkpoints (C2SP), the Merkle tree (RFC 6962)
TYPE = b"application/vnd.in-toto+json"
ERASABLE = ("check-result", "incident", "intent", "record")
NAME = re.compile(r"([a-z]+/)?[A-Za-z0-9][A-Za-z0-9._-]*\Z")


def read_json(content: bytes) -> Any:
    """Read an object; refuse one that names a key twice: two readers would see two things."""

    def once(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        refuse(len(dict(pairs)) != len(pairs), "a key is named twice")
        return dict(pairs)

    return json.loads(content.decode("utf-8"), object_pairs_hook=once)


def unbase64(text: str) -> bytes:
    """Read base64 in its one spelling; DSSE allows both alphabets."""
    standard = text.replace("-", "+").replace("_", "/")
    content = base64.b64decode(standard, validate=True)
    refuse(base64.b64encode(content).decode() != standard, "base64 with stray bits")
    return content


def read_envelope(content: bytes) -> Tuple[bytes, List[bytes]]:
    """Return the payload and the signatures of an envelope."""
    envelope = read_json(content)
    wrong = sorted(envelope) != ["payload", "payloadType", "signatures"] or envelope["payloadType"] != TYPE.decode()
    refuse(wrong or any(set(item) - {"keyid", "sig"} for item in envelope["signatures"]), "not an envelope of ours")
    return unbase64(envelope["payload"]), [unbase64(item["sig"]) for item in envelope["signatures"]]


def sha256(content: bytes) -> str:
    """Return a digest as evidence writes it."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def verifier_key(text: str) -> Tuple[Tuple[str, bytes], Tuple[int, Dict[str, Any]]]:
    """Read NAME+ID+BASE64: name and id, type of signature and key."""
    name, id_, encoded = text.split("+", 2)
    typed = base64.b64decode(encoded, validate=True)
    found = hashlib.sha256(name.encode() + b"\n" + typed).digest()[:4]
    refuse(found.hex() != id_ or typed[0] not in (1, 4), "not a verifier key: %s" % name)
    ed_key(typed[1:])
    return (name, found), (typed[0], {"algorithm": "ed25519", "spki": base64.b64encode(ED_DER + typed[1:]).decode()})


def read_note(note: bytes, log: Dict[str, Any]) -> Tuple[int, bytes, int]:
    """Return size and root of a checkpoint that the log signed, and how many trusted witnesses cosigned it."""
    text, _, below = note.rpartition(b"\n\n")
    origin, size, root = text.decode().split("\n")[:3]
    keys, signed = dict(map(verifier_key, log["keys"] + log["witnesses"])), set()
    for line in below.decode().split("\n")[:-1]:
        dash, name, content = line.split(" ")
        raw = unbase64(content)
        kind, key = keys.get((name, raw[:4]), (0, {}))
        time = b"cosignature/v1\ntime %d\n" % int.from_bytes(raw[4:12], "big") if kind == 4 else b""
        signature = raw[12:] if kind == 4 else raw[4:]
        refuse(dash != "\u2014" or (kind and not verifies(key, signature, time + text + b"\n")), "a bad signature")
        signed.add((kind, key.get("spki")))
    ours = {key["spki"] for _, (kind, key) in map(verifier_key, log["keys"])}
    refuse(origin != log["origin"] or not ours & {spki for kind, spki in signed if kind == 1}, "not signed by the log")
    refuse(not re.match(r"(0|[1-9][0-9]{0,18})\Z", size) or len(unbase64(root)) != 32, "not a checkpoint")
    return int(size), unbase64(root), sum(kind == 4 for kind, _ in signed)


def climb(place: int, last: int, proof: List[bytes], found: bytes) -> Tuple[bytes, bytes]:
    """Return what a proof leads to, in the old tree and in the new one (RFC 9162, 2.1.3.2 and 2.1.4.2)."""
    old = new = found
    for sibling in proof:
        refuse(last == 0 or len(sibling) != 32, "a proof with a hash too many")
        if place & 1 or place == last:
            old, new = (hashlib.sha256(b"\x01" + sibling + below).digest() for below in (old, new))
            while place & 1 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            new = hashlib.sha256(b"\x01" + new + sibling).digest()
        place, last = place >> 1, last >> 1
    refuse(last, "a proof with a hash too few")
    return old, new


def consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: List[bytes]) -> bool:
    """Whether the tree of the new size begins with that of the old one, which is smaller and not empty."""
    path = [old_root, *proof] if old & (old - 1) == 0 else proof
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    return len(path) > 0 and climb(place, last, path[1:], path[0]) == (old_root, new_root)


class Pack:
    """A pack in a folder, the trust that it is held to, and what was found wrong with it: word, place, what."""

    def __init__(self, folder: Path, trust: Dict[str, Any]) -> None:
        self.folder, self.trust, self.witnessed = folder, trust, 0
        self.keys = {key["id"]: key for key in trust["keys"]}
        known, log = ["aims.trust/1", "keys", "kinds", "log", "registry", "schema"], trust["log"]
        strange = log is not None and sorted(log) != ["keys", "origin", "quorum", "witnesses"]
        strange = strange or (log is not None and (type(log["quorum"]) is not int or log["quorum"] < 1))
        refuse(strange or [trust["schema"], *sorted(trust)] != known, "a form that this program does not know")
        for key in trust["keys"]:
            refuse(set(key) - {"algorithm", "id", "person", "spki"}, "a key has fields that this program does not know")
            refuse(key["id"] != sha256(base64.b64decode(key["spki"])), "a key under another's id")
        self.found: List[Tuple[str, str, str]] = []
        self.index: Dict[str, Any] = {}
        self.files: Dict[str, bytes] = {}
        self.leaves: Dict[int, Tuple[Dict[str, Any], bytes]] = {}
        self.erased: Set[str] = set()
        self.named: Set[str] = set()

    def attempt(self, place: str, what: Callable[..., Any], *given: Any) -> None:
        """Do one thing, and note what it says to be missing; whatever is wrong with what it reads is INVALID."""
        try:
            missing = what(*given)
            self.found += [("MISSING", place, missing)] if missing else []
        except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
            self.found.append(("INVALID", place, "%s: %s" % (type(error).__name__, error)))

    def signed(self, kind: str, envelope: bytes) -> Dict[str, Any]:
        """Return the statement in an envelope that somebody signed who is trusted for its kind."""
        payload, signatures = read_envelope(envelope)
        statement: Dict[str, Any] = read_json(payload)
        types = [statement["_type"], statement["predicateType"]]
        refuse(types != ["https://in-toto.io/Statement/v1", "urn:aims-mlops:%s:v1" % kind], "another kind")
        asks = kind == "waiver" and statement["predicate"].get("act") != "approve"
        trusted = [self.keys[id_] for id_ in self.trust["kinds"].get("anybody" if asks else kind, [])]
        named = [item.get("keyid") for item in read_json(envelope)["signatures"]]
        if kind == "pack":  # of any other envelope the key's name is a hint; here it has to be right
            trusted = [key for key in trusted if [key["id"]] == named]
        message = b"DSSEv1 %d %s %d %s" % (len(TYPE), TYPE, len(payload), payload)
        signed = any(verifies(key, item, message) for item in signatures for key in trusted)
        refuse(not signed, "not signed by anybody who is trusted for it")
        refuse(statement["predicate"]["header"]["registryId"] != self.trust["registry"], "of another registry")
        return statement

    def read_index(self) -> None:
        """Read the index, whose envelope has one form so that no byte of it is free, and every file that it names."""
        content = self.read("index.json")
        written = json.dumps(read_json(content), sort_keys=True, separators=(",", ":")).encode()
        payload, signatures = read_envelope(content)
        spelled = all(base64.b64encode(item) in content for item in [payload, *signatures])
        refuse(written != content or not spelled, "the envelope is not in the form in which it was written")
        statement = self.signed("pack", content)
        index = statement["predicate"]
        lines = "".join("%(sha256)s  %(name)s\n" % item for item in index["files"])
        subject = {"name": "SHA256SUMS", "digest": {"sha256": sha256(lines.encode())[7:]}}
        refuse(statement["subject"] != [subject], "its subject is not the list of its files")
        self.index = index
        for item in index["files"]:
            self.attempt(item["name"], self.read_file, item["name"], item)
        known = {"index.json", *(item["name"] for item in index["files"])}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if name not in known and not (path.is_dir() and not path.is_symlink() and any(path.iterdir())):
                self.found.append(("INVALID", name, "not in the index: somebody added it"))

    def read(self, name: str) -> bytes:
        path = self.folder / name
        refuse(not NAME.match(name) or path.is_symlink() or not path.is_file(), "gone, or no plain file")
        refuse(path.parent.is_symlink() and path.parent != self.folder, "in a folder that is a link")
        return path.read_bytes()

    def read_file(self, name: str, item: Dict[str, Any]) -> None:
        content = self.files[name] = self.read(name)
        wrong = sha256(content) != "sha256:" + item["sha256"] or len(content) != item["size"]
        refuse(wrong, "its bytes are not those that the index was signed over")
        refuse(name.startswith(("policies/", "models/")) and Path(name).stem != item["sha256"], "under another's name")

    def statements(self) -> None:
        for line in self.files["leaves.jsonl"].split(b"\n")[:-1]:
            leaf = read_json(line)
            before = self.leaves.get(leaf["seq"] - 1)
            refuse(before and leaf["prev"] != sha256(before[1]), "a leaf does not follow from the last")
            self.leaves[leaf["seq"]] = leaf, line
        own = sorted(self.index["leaves"]["period"] + self.index["leaves"]["before"])
        refuse(list(self.leaves) != sorted(own + self.index["leaves"]["others"]), "not the leaves of the index")
        for seq in own:
            self.attempt("leaf %d" % seq, self.statement, seq, self.leaves[seq][0])
        named = [seq for seq in self.index["leaves"]["others"] if self.leaves[seq][0]["payload"] in self.named]
        self.found += [("MISSING", "leaf %d" % seq, "filed as another system's, and named here") for seq in named]
        self.found = [item for item in self.found if item[0] != "MISSING" or item[1] not in self.erased]

    def statement(self, seq: int, leaf: Dict[str, Any]) -> Any:
        kind = leaf["type"].split(":")[2]
        name = "statements/%08d-%s.dsse.json" % (seq, kind)
        if name not in self.files:
            return "the pack does not have its statement"
        content, index = self.files[name], self.index
        statement = self.signed(kind, content)
        (about,) = (item["digest"]["sha256"] for item in statement["subject"])
        found = sha256(content), sha256(read_envelope(content)[0]), "sha256:" + about, statement["predicateType"]
        refuse(found != (leaf["envelope"], leaf["payload"], leaf["subject"], leaf["type"]), "not what the log has")
        start, end, at = index["period"]["from"], index["period"]["to"], leaf["capturedAt"]
        refuse((seq in index["leaves"]["period"]) != (start <= at < end) or at >= end, "recorded at another time")
        refuse(statement["predicate"]["header"]["system"] not in (None, index["system"]), "of another system")
        header = statement["predicate"]["header"]
        first, *said = (datetime.fromisoformat(text[:-1]) for text in (at, header["measuredAt"], header["signedAt"]))
        refuse(max(said) > first + timedelta(minutes=5), "measured or signed after it was recorded")
        if kind != "tombstone":  # which may be of anything in the registry
            self.named |= set(re.findall("sha256:[0-9a-f]{64}", json.dumps(statement["predicate"])))
        else:
            erases, gone, place = (statement["predicate"].get(name) for name in ("erases", "kind", "leaf"))
            one = self.leaves[place][0] if type(place) is int and place < seq and place in self.leaves else {}
            same = (one.get("payload"), one.get("type")) == (erases, "urn:aims-mlops:%s:v1" % gone)
            self.erased |= {"leaf %d" % place} if same and erases == "sha256:" + about and gone in ERASABLE else set()

    def log(self) -> Any:
        """Verify checkpoints, that each is a beginning of the next, and that the leaves are in one."""
        log, size, root = self.trust["log"], self.index["log"]["size"], self.index["log"]["root"]
        if log is None or root is None:
            return "no checkpoint, or no log in the trust: nothing proves that these are in a log"
        roots: Dict[int, bytes] = {}
        notes = [content for name, content in self.files.items() if name.startswith("checkpoints/")]
        for note in notes:
            covers, found, witnesses = read_note(note, log)
            refuse(roots.setdefault(covers, found) != found, "the log signed two histories")
            self.witnessed = max(self.witnessed, covers if witnesses >= log["quorum"] else 0)
        sizes = sorted(filter(None, roots))
        for old, new in zip(sizes, sizes[1:]):
            lines = self.files["consistency/%08d-%08d.txt" % (old, new)].decode().split("\n")[:-1]
            refuse(not consistent(old, roots[old], new, roots[new], list(map(unbase64, lines))), "a rewritten history")
        refuse(size not in roots or roots[size].hex() != root, "no such checkpoint")
        for seq, (_, line) in self.leaves.items():
            self.attempt("leaf %d" % seq, self.included, seq, line, size, roots[size], notes)

    def included(self, seq: int, line: bytes, size: int, root: bytes, notes: List[bytes]) -> Any:
        content = self.files.get("proofs/%08d.tlog-proof" % seq)
        if seq >= size or content is None:
            return "no checkpoint reaches it: nothing proves that it is in the log"
        head, _, note = content.partition(b"\n\n")
        first, extra, index, *proof = head.decode().split("\n")
        about = first, index, unbase64(extra[6:])
        refuse(about != ("c2sp.org/tlog-proof@v1", "index %d" % seq, line), "a proof of something else")
        found = climb(seq, size - 1, list(map(unbase64, proof)), hashlib.sha256(b"\x00" + line).digest())[1]
        refuse(note not in notes or found != root, "the proof does not lead to the checkpoint")


def main(arguments: List[str]) -> int:
    """Verify, say every fault and the verdict last, and return the exit code."""
    if len(arguments) not in (1, 3) or (len(arguments) == 3 and arguments[1] != "--trust"):
        print("usage: verify.py PACK --trust FILE", file=sys.stderr)
        return 2
    try:
        pack = Pack(Path(arguments[0]), read_json(Path(arguments[2]).read_bytes()))
    except (OSError, IndexError, ValueError, KeyError, TypeError) as error:
        print("INCOMPLETE: no trust, so that nothing can be said: %s" % error)
        return 3
    pack.attempt("index.json", pack.read_index)
    if pack.index:
        pack.attempt("leaves.jsonl", pack.statements)
        pack.attempt("log", pack.log)
    for word, place, what in pack.found:
        print("%s  %s: %s" % (word, ascii(place)[1:-1], what))
    if pack.found:
        invalid = "INVALID" in {word for word, _, _ in pack.found}
        print("INVALID" if invalid else "INCOMPLETE")
        return 4 if invalid else 3
    unseen = sum(seq >= pack.witnessed for seq in pack.leaves)
    told = "UNWITNESSED: %d leaves that nobody outside has seen" % unseen if unseen else "witnessed"
    print("%s\nVALID: %d statements" % (told, len(pack.leaves) - len(pack.index["leaves"]["others"])))
    return 5 if unseen == len(pack.leaves) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
