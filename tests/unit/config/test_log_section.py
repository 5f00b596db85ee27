"""`log:` in aims.yaml: who signs the log, and everything that makes no sense there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aims_mlops.errors import ConfigError
from aims_mlops.evidence.note import COSIGNATURE, ED25519, VerifierKey
from aims_mlops.model.register import LogSettings, Project, Recipient
from tests.builders import key

Read = Callable[[str | bytes], Project]

WITNESS = str(VerifierKey("w/audit", COSIGNATURE, key("audit", algorithm="ed25519").public))
RENAMED = str(VerifierKey("w/other-name", COSIGNATURE, key("audit", algorithm="ed25519").public))
LOG = str(VerifierKey("a-log", ED25519, key("audit", algorithm="ed25519").public))


def with_log(base: str, text: str) -> str:
    people = base.replace("  robot: {", "  keeper: {name: Keeper of the log, kind: service}\n  robot: {", 1)
    return f"{people.rstrip()}\nlog: {text}\n"


def test_without_it_nothing_is_said(read: Read, base: str) -> None:
    assert read(base).log is None


def test_all_of_it_is_read(read: Read, base: str) -> None:
    assert read(with_log(base, "{key: keeper}")).log == LogSettings("keeper")
    whole = read(with_log(base, f"{{key: keeper, origin: example.org/log, witnesses: ['{WITNESS}'], quorum: 1}}"))
    assert whole.log == LogSettings("keeper", "example.org/log", (WITNESS,), 1)
    away = "timestamps: [{url: u, roots: r.pem}], send: [{url: v}, {mail: a, smtp: b, sender: c}]"
    sent = Recipient("v"), Recipient(None, "a", "b", "c")
    assert read(with_log(base, f"{{key: keeper, {away}}}")).log == LogSettings(
        "keeper", timestamps=(("u", "r.pem"),), send=sent
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("{}", "the key 'key' is missing", id="no key"),
        pytest.param("{key: kepeer}", "there is no person 'kepeer' under people\n  hint: did you mean", id="nobody"),
        pytest.param("{key: robot}", "'robot' is trusted for check-result", id="an evidence key"),
        pytest.param("{key: ann}", "than evidence keys, and 'ann' is trusted for record", id="a person"),
        pytest.param("{key: keeper, origin: a b}", "'a b' is not an origin", id="an origin with a blank"),
        pytest.param("{key: keeper, origin: a+b}", "'a+b' is not an origin", id="an origin with a plus"),
        pytest.param("{key: keeper, witnesses: [audit]}", "'audit' is not a verifier key", id="a witness's name"),
        pytest.param(f"{{key: keeper, witnesses: ['{LOG}']}}", "a-log is not a witness's key", id="a log's key"),
        pytest.param(
            f"{{key: keeper, witnesses: ['{WITNESS}', '{RENAMED}']}}",
            "this witness's key stands here already",
            id="a witness under two names",
        ),
        pytest.param("{key: keeper, timestamps: [{url: 'http://a'}]}", "the key 'roots' is missing", id="no roots"),
        pytest.param("{key: keeper, send: [{}]}", "either url, or mail with smtp and sender", id="nowhere to send"),
        pytest.param(
            "{key: keeper, send: [{mail: a}]}", "either url, or mail with smtp and sender", id="no mail server"
        ),
        pytest.param(
            "{key: keeper, send: [{url: u, mail: a, smtp: b, sender: c}]}",
            "either url, or mail with smtp and sender",
            id="two ways at once",
        ),
        pytest.param("{key: keeper, quorum: 0}", "a number of at least 1", id="a quorum of none"),
        pytest.param(
            f"{{key: keeper, witnesses: ['{WITNESS}'], quorum: 2}}",
            "a quorum of 2 can never be reached with 1 known",
            id="a quorum that cannot be reached",
        ),
        pytest.param("{key: keeper, keys: [a]}", "keys", id="an unknown key"),
    ],
)
def test_what_makes_no_sense_is_told(read: Read, base: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read(with_log(base, text))
    assert said in str(raised.value)


def test_the_signer_of_runs_does_not_sign_the_log(read: Read, base: str) -> None:
    untrusted = base.replace("check-result: [robot]", "check-result: [ann]")
    with pytest.raises(ConfigError, match="'robot' is the signer of runs"):
        read(with_log(untrusted, "{key: robot}"))
