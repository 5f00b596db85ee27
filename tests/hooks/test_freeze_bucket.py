"""The freeze over an S3-compatible storage, against moto's server in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from aims_mlops.errors import RegistryError
from aims_mlops_hooks.mlflow.stamps import object_stamps
from tests.hooks.conftest import free_port
from tests.hooks.freezing import Freezing, Made, delete, freezing_server, get, put, register
from tests.hooks.test_freeze_servers import DELETIONS, WRITES, moved_run, spelt

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("freeze-bucket"), pytest.mark.filterwarnings("default")]

LOGIN = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
ROOT = "art/of the team"


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """A boto3 client of a running S3 server with an empty bucket `frozen`."""
    import boto3

    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True, env=os.environ | LOGIN)
    try:
        client = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            region_name="us-east-1",
        )
        _until(lambda: client.create_bucket(Bucket="frozen"))
        yield client
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _until(works: Any) -> None:
    from botocore.exceptions import BotoCoreError

    deadline = time.monotonic() + 120
    while True:
        try:
            works()
            return
        except BotoCoreError:
            assert time.monotonic() < deadline, "moto's server does not answer"
            time.sleep(0.3)


@pytest.fixture(scope="module")
def server(bucket: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Freezing]:
    there = LOGIN | {"MLFLOW_S3_ENDPOINT_URL": bucket.meta.endpoint_url}
    folder = tmp_path_factory.mktemp("bucket")
    with freezing_server(folder, f"s3://frozen/{ROOT}", environment=there) as made:
        yield made


@pytest.fixture(scope="module")
def income(server: Freezing) -> Made:
    made = register(server, "income")
    server.say("income")
    put(server, f"{made.run_folder}/aims/income/1/00ff/parity.html", b"as recorded").ok()
    return made


def objects(bucket: Any) -> dict[str, bytes]:
    listed = bucket.list_objects_v2(Bucket="frozen").get("Contents", [])
    return {item["Key"]: bucket.get_object(Bucket="frozen", Key=item["Key"])["Body"].read() for item in listed}


@pytest.mark.parametrize("spelling", WRITES)
def test_no_upload_changes_a_checked_model(server: Freezing, income: Made, bucket: Any, spelling: str) -> None:
    before = objects(bucket)
    answer = put(server, spelt(WRITES[spelling], income), b"another")
    assert answer.status >= 400, answer
    assert objects(bucket) == before


@pytest.mark.parametrize("spelling", DELETIONS)
def test_no_deletion_takes_a_checked_model_away(server: Freezing, income: Made, bucket: Any, spelling: str) -> None:
    before = objects(bucket)
    answer = delete(server, spelt(DELETIONS[spelling], income))
    assert answer.status >= 400, answer
    assert objects(bucket) == before


def test_evidence_is_written_once_and_never_deleted(server: Freezing, income: Made, bucket: Any) -> None:
    before = objects(bucket)
    evidence = f"{income.run_folder}/aims/income/1"
    assert "is evidence, which is written once" in put(server, f"{evidence}/00ff/parity.html", b"another").text
    for path in (f"{evidence}/00ff/parity.html", evidence, income.run_folder, f"{income.experiment}/{income.run}"):
        assert delete(server, path).status == 403
    assert objects(bucket) == before
    put(server, f"{evidence}/00aa/parity.html", b"later").ok()


def multipart(server: Freezing, step: str, folder: str, **body: object) -> Any:
    return server.rest.call("POST", f"/api/2.0/mlflow-artifacts/mpu/{step}/{folder}", body)


def upload(made: dict[str, Any]) -> list[dict[str, object]]:
    """Send one part to the storage by its presigned URL, as MLflow's client does."""
    credential, plain = made["credentials"][0], {"Content-Type": "application/octet-stream"}
    request = urllib.request.Request(credential["url"], data=b"another", method="PUT", headers=plain)  # noqa: S310  # our own server
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return [{"part_number": 1, "etag": answer.headers["ETag"], "url": credential["url"]}]


def test_an_upload_in_parts_works_where_nothing_was_checked(server: Freezing, bucket: Any) -> None:
    made = multipart(server, "create", "0/big", path="weights.bin", num_parts=1).ok().json
    parts = upload(made)
    multipart(server, "complete", "0/big", path="weights.bin", upload_id=made["upload_id"], parts=parts).ok()
    assert objects(bucket)[f"{ROOT}/0/big/weights.bin"] == b"another"


def test_no_upload_in_parts_changes_a_checked_model(server: Freezing, income: Made, bucket: Any) -> None:
    before = objects(bucket)
    part = [{"part_number": 1, "etag": "x", "url": ""}]
    for step, more in (
        ("create", {"num_parts": 1}),
        ("complete", {"upload_id": "x", "parts": part}),
        ("abort", {"upload_id": "x"}),
    ):
        for path in ("weights.bin", "sub/weights.bin"):  # of `path`, MLflow takes the last segment
            answer = multipart(server, step, f"{income.folder}/data", path=path, **more)
            assert (answer.status, "[aims] frozen: " in answer.text) == (403, True), answer
    assert objects(bucket) == before


def test_an_upload_in_parts_that_began_before_the_freeze_is_not_completed(server: Freezing, bucket: Any) -> None:
    model = register(server, "slow")
    made = multipart(server, "create", f"{model.folder}/data", path="weights.bin", num_parts=1).ok().json
    parts = upload(made)
    server.say("slow")
    done = {"path": "weights.bin", "upload_id": made["upload_id"], "parts": parts}
    assert multipart(server, "complete", f"{model.folder}/data", **done).status == 403
    assert objects(bucket)[f"{ROOT}/{model.folder}/data/weights.bin"] == b"as checked"


def test_no_presigned_url_leads_into_the_destination(server: Freezing, income: Made, bucket: Any) -> None:
    run = moved_run(server, "moved", f"s3://frozen/{ROOT}/9")
    answer = server.rest.post("artifacts/presigned-upload-url", run_id=run, path="x.bin")
    assert (answer.status, "a presigned URL for x.bin would still write" in answer.text) == (403, True), answer
    elsewhere = moved_run(server, "elsewhere", "s3://frozen/elsewhere")
    given = server.rest.post("artifacts/presigned-upload-url", run_id=elsewhere, path="x.bin").ok().json
    assert "/frozen/elsewhere/" in given["presigned_url"]


def test_a_run_that_lies_in_a_model_s_folder_writes_nothing_there(server: Freezing, income: Made, bucket: Any) -> None:
    run = moved_run(server, "inside", f"s3://frozen/{ROOT}/{income.folder}")
    before = objects(bucket)
    answer = server.rest.call("POST", f"/ajax-api/2.0/mlflow/upload-artifact?run_uuid={run}&path=x.bin", b"another")
    assert (answer.status, "[aims] frozen: " in answer.text) == (403, True), answer
    assert objects(bucket) == before


@pytest.mark.parametrize(
    "location", ["s3://frozen", "s3://frozen/art", f"s3://frozen/{ROOT}/0", f"s3://frozen//{ROOT}"]
)
def test_no_experiment_is_made_over_the_destination(server: Freezing, location: str) -> None:
    answer = server.rest.post("experiments/create", name=location, artifact_location=location)
    assert (answer.status, "[aims] frozen: " in answer.text) == (403, True), answer


def test_what_nobody_checked_is_written_read_and_deleted(server: Freezing, bucket: Any) -> None:
    made = register(server, "draft")
    put(server, f"{made.folder}/data/weights.bin", b"second").ok()
    assert get(server, f"{made.folder}/data/weights.bin").ok().content == b"second"
    delete(server, f"{made.folder}/data").ok()
    assert f"{ROOT}/{made.folder}/MLmodel" in objects(bucket)
    assert f"{ROOT}/{made.folder}/data/weights.bin" not in objects(bucket)


def test_stamps_of_objects_stand_until_somebody_writes(bucket: Any) -> None:
    bucket.create_bucket(Bucket="stamped")
    for key in ("m/MLmodel", "m/data/w", "m2/w"):
        bucket.put_object(Bucket="stamped", Key=key, Body=b"first")
    first = object_stamps(bucket, "stamped", "m")
    assert first == object_stamps(bucket, "stamped", "m/")
    assert len(first) == 2  # type: ignore[arg-type]  # a tuple, which callers need not know
    bucket.put_object(Bucket="stamped", Key="m2/w", Body=b"other")
    assert object_stamps(bucket, "stamped", "m") == first
    bucket.put_object(Bucket="stamped", Key="m/data/w", Body=b"other")
    assert object_stamps(bucket, "stamped", "m") != first


def test_stamps_tell_versions_of_the_same_bytes_apart(bucket: Any) -> None:
    bucket.create_bucket(Bucket="versioned")
    bucket.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    bucket.put_object(Bucket="versioned", Key="m/w", Body=b"same")
    first = object_stamps(bucket, "versioned", "m")
    bucket.put_object(Bucket="versioned", Key="m/w", Body=b"same")
    assert object_stamps(bucket, "versioned", "m") != first


def test_stamps_of_a_bucket_that_is_not_there_are_an_error(bucket: Any) -> None:
    with pytest.raises(RegistryError, match="the objects under s3://nowhere/m/ cannot be listed"):
        object_stamps(bucket, "nowhere", "m")
