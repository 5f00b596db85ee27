"""Which deliveries of MLflow's webhooks are taken: held against MLflow's own signing, and against forgers."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from aims_mlops.errors import UsageError
from aims_mlops_hooks.mlflow.platform import MlflowPlatform
from aims_mlops_hooks.mlflow.webhook import WINDOW, MlflowWebhook

SECRET = b"only for this test, and long enough"
NOW = 1_790_000_000.0
BODY = b'{"entity": "model_version_alias"}'


def signature(secret: bytes = SECRET, *, id_: str = "d-1", stamp: str = "1790000000", body: bytes = BODY) -> str:
    content = f"{id_}.{stamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()


def headers(signed: str | None = None, *, id_: str = "d-1", stamp: str = "1790000000") -> dict[str, str]:
    made = signature(id_=id_, stamp=stamp) if signed is None else signed
    return {"x-mlflow-delivery-id": id_, "x-mlflow-timestamp": stamp, "x-mlflow-signature": made}


@pytest.fixture
def webhook() -> MlflowWebhook:
    return MlflowPlatform().webhook(SECRET)


def test_what_mlflow_itself_signs_is_taken(webhook: MlflowWebhook) -> None:
    from mlflow.webhooks.delivery import _generate_hmac_signature

    made = _generate_hmac_signature(SECRET.decode(), "d-1", "1790000000", BODY.decode())
    assert webhook.refusal(headers(made), BODY, now=NOW) is None


@pytest.mark.parametrize(
    ("given", "body", "status", "says"),
    [
        pytest.param({}, BODY, 401, "not signed", id="no headers"),
        pytest.param(headers(""), BODY, 401, "not signed", id="empty signature"),
        pytest.param(headers(id_=""), BODY, 401, "not signed", id="no delivery id"),
        pytest.param(headers(id_="d" * 201), BODY, 401, "not signed", id="endless delivery id"),
        pytest.param(headers(), BODY + b" ", 401, "does not hold", id="another body"),
        pytest.param(headers(signature(b"another secret of that size")), BODY, 401, "does not hold", id="secret"),
        pytest.param(headers(signature(id_="d-2")), BODY, 401, "does not hold", id="another id"),
        pytest.param(headers(signature(stamp="1790000001")), BODY, 401, "does not hold", id="another time"),
        pytest.param(headers(signature()[3:]), BODY, 401, "does not hold", id="no version of the scheme"),
        pytest.param(headers(signature().replace("v1", "v2")), BODY, 401, "does not hold", id="unknown scheme"),
        pytest.param(headers("v1,\u0660\u00e9"), BODY, 401, "does not hold", id="no ASCII"),
        pytest.param(headers(" ".join(["v1,x"] * 4 + [signature()])), BODY, 401, "does not hold", id="too many"),
        pytest.param(headers(stamp=str(int(NOW) - WINDOW - 1)), BODY, 401, "last 5 minutes", id="old"),
        pytest.param(headers(stamp=str(int(NOW) + WINDOW + 1)), BODY, 401, "last 5 minutes", id="future"),
        pytest.param(headers(stamp="soon"), BODY, 401, "last 5 minutes", id="no time"),
        pytest.param(headers(stamp="-1790000000"), BODY, 401, "last 5 minutes", id="signed number"),
    ],
)
def test_anything_else_is_refused_and_not_remembered(
    webhook: MlflowWebhook, given: dict[str, str], body: bytes, status: int, says: str
) -> None:
    refused = webhook.refusal(given, body, now=NOW)
    assert refused is not None
    assert (refused[0], says in refused[1]) == (status, True), refused
    assert webhook.refusal(headers(), BODY, now=NOW) is None


def test_a_delivery_is_taken_once_as_long_as_its_time_would_do(webhook: MlflowWebhook) -> None:
    assert webhook.refusal(headers(stamp=str(int(NOW) + WINDOW)), BODY, now=NOW) is None
    for later in (0, WINDOW, 2 * WINDOW):
        assert webhook.refusal(headers(stamp=str(int(NOW) + WINDOW)), BODY, now=NOW + later) == (
            409,
            "this delivery was here before",
        )


def test_ids_are_forgotten_when_their_time_is_over(webhook: MlflowWebhook) -> None:
    for number in range(50):
        assert webhook.refusal(headers(id_=f"d-{number}"), BODY, now=NOW) is None
    late = NOW + 2 * WINDOW + 1
    assert webhook.refusal(headers(id_="new", stamp=str(int(late))), BODY, now=late) is None
    assert list(webhook._seen) == ["new"]


def test_a_changing_secret_is_signed_for_twice(webhook: MlflowWebhook) -> None:
    both = f"{signature(b'the one before, and long enough')} {signature()}"
    assert webhook.refusal(headers(both), BODY, now=NOW) is None


def test_a_secret_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(UsageError, match="the webhook's secret has 5 bytes, and 16 are the least") as refused:
        MlflowWebhook(b"guess")
    assert "openssl rand -base64 32" in refused.value.hint
