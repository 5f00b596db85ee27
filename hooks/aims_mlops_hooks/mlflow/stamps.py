"""Cheap stamps of a model's files: while they stand, nobody has written there, and a kept manifest may be used again.

A stamp is no digest. On a local disk it rests on the kernel's change time, which no ordinary user can set; in a bucket
on what the storage itself says of each object. Whoever holds the disk or the bucket can forge either, and is found by
digesting again.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

from aims_mlops.errors import RegistryError, VerificationError

_NO_VERSIONS = ("AccessDenied", "NotImplemented", "MethodNotAllowed")


def stamps(folder: Path) -> Hashable:
    """Return relative path, kind, size, change times (ns), inode and device of the folder and all that is in it.

    Two equal answers mean that nothing was written, added, removed or replaced in between. Raises `VerificationError`
    for links and for what is neither file nor folder, `RegistryError` where something cannot be read.
    """
    try:
        return tuple(sorted(_walk(folder, ".")))
    except OSError as error:
        raise RegistryError(
            f"the files under {folder} cannot be looked at: {error.strerror or error}",
            hint="see that they are there and that this process may read them",
        ) from error


def _walk(path: Path, name: str) -> Iterator[tuple[str | int, ...]]:
    found = path.lstat()
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise VerificationError(
            f"{path} is a link or a special file, which a model's folder must not hold",
            hint="log the model again from plain files",
        )
    kind = "folder" if stat.S_ISDIR(found.st_mode) else "file"
    yield name, kind, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev
    if kind == "folder":
        with os.scandir(path) as entries:
            for entry in entries:
                yield from _walk(Path(entry.path), f"{name}/{entry.name}")


def object_stamps(client: Any, bucket: str, prefix: str) -> Hashable:
    """Return key, size, ETag, time of change and version id of every object under a prefix, sorted.

    `client` is a boto3 S3 client; `prefix` names a folder, its closing slash may be left out. Where the storage does
    not let the versions be listed, the ids are empty. Raises `RegistryError` where it does not answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    prefix = prefix.rstrip("/") + "/" if prefix else ""
    try:
        try:
            return tuple(sorted(_versions(client, bucket, prefix)))
        except ClientError as error:
            if str(error.response.get("Error", {}).get("Code")) not in _NO_VERSIONS:
                raise
            return tuple(sorted(_objects(client, bucket, prefix)))
    except (BotoCoreError, ClientError) as error:
        raise RegistryError(
            f"the objects under s3://{bucket}/{prefix} cannot be listed: {error}",
            hint="see that the bucket is there and that this process may list it",
        ) from error


def _versions(client: Any, bucket: str, prefix: str) -> Iterator[tuple[str, ...]]:
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for found in page.get("Versions", ()):
            if found["IsLatest"]:
                yield (*_stamp(found), str(found.get("VersionId", "")))


def _objects(client: Any, bucket: str, prefix: str) -> Iterator[tuple[str, ...]]:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", ()):
            yield (*_stamp(found), "")


def _stamp(found: Any) -> tuple[str, str, str, str]:
    return str(found["Key"]), str(found["Size"]), str(found["ETag"]), found["LastModified"].isoformat()
