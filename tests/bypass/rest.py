"""Raw HTTP to an MLflow server: paths and bodies go out as they are written, which no client library does."""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

API = "/api/2.0/mlflow/"
AJAX = "/ajax-api/2.0/mlflow/"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"
AJAX_PROXY = "/ajax-api/2.0/mlflow-artifacts/artifacts"


@dataclass(frozen=True)
class Reply:
    """What the server answered."""

    status: int
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    def ok(self) -> Reply:
        """Hold the answer to success: what an attempt only prepares must work."""
        assert self.status == 200, f"{self.status}: {' '.join(self.text.split())[:600]}"
        return self


@dataclass(frozen=True)
class Rest:
    """Calls of one server, as one user (name and password) or as nobody."""

    url: str
    user: tuple[str, str] | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """Send a request; bytes and text as they are, anything else as JSON. Header names are written with `_`."""
        sent = {"Content-Type": "application/json"} | self.headers
        if self.user is not None:
            sent["Authorization"] = "Basic " + base64.b64encode(":".join(self.user).encode()).decode()
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=120)
        try:
            connection.request(
                method, place.path + path, body=data.encode() if isinstance(data, str) else data, headers=sent
            )
            answer = connection.getresponse()
            return Reply(answer.status, answer.read())
        finally:
            connection.close()

    def get(self, endpoint: str, **query: str) -> Reply:
        return self.call("GET", f"{API}{endpoint}?{urlencode(query)}")

    def post(self, endpoint: str, **body: object) -> Reply:
        return self.call("POST", API + endpoint, body)

    def delete(self, endpoint: str, **body: object) -> Reply:
        return self.call("DELETE", API + endpoint, body)

    def put_file(self, path: str, content: bytes) -> Reply:
        """Upload a file through the artifact proxy, with a properly quoted path."""
        return self.call("PUT", f"{PROXY}/{quote(path)}", content, Content_Type="application/octet-stream")

    def files(self, folder: str) -> dict[str, bytes]:
        """Return the files below a folder of the artifact proxy, by their path in it. None where it is gone."""
        listed = self.call("GET", f"{PROXY}?{urlencode({'path': folder})}")
        found: dict[str, bytes] = {}
        for entry in listed.json.get("files", []) if listed.status == 200 else []:
            path = f"{folder}/{entry['path']}"
            if entry.get("is_dir"):
                found |= {f"{entry['path']}/{below}": content for below, content in self.files(path).items()}
            else:
                reply = self.call("GET", f"{PROXY}/{quote(path)}")
                found[entry["path"]] = reply.content if reply.status == 200 else b"unreadable"
        return found
