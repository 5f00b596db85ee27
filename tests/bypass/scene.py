"""What an attempt finds: a server, names of its own, and a probe that tells from the outside whether it promoted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.bypass.rest import Reply, Rest
from tests.bypass.servers import Server

HARMLESS = ("dev", "candidate")
"""The only aliases that nobody protects here. Whatever else stands on a governed model is a promotion."""
SPOOFED = "spoofed"
VERSIONS = 5
"""No attempt makes more versions of one model."""


class Evidence(Protocol):
    """Makes versions fit for promotion, where a server asks for that."""

    def within(self, server: Server) -> Evidence:
        """Return the same for versions in the workspace that the server is spoken to in."""
        ...

    def check(self, name: str, version: str) -> None:
        """Run the checks of one version and hand in the evidence; they pass."""
        ...

    def withdraw(self, name: str, version: str) -> None:
        """Take the approval back: a newer result that failed."""
        ...

    def claim(self, name: str, version: str, *, how: str) -> None:
        """Hand in something that looks like evidence and must not count; `how` names it."""
        ...

    def promote(self, name: str, version: str, target: str) -> None:
        """Promote with the project's own command, under a policy of one's own that asks for nothing."""
        ...

    def promote_properly(self, name: str, version: str, target: str) -> None:
        """Promote with the project's own command, under the project's policy."""
        ...


class NoEvidence:
    """A plain server asks for nothing, so there is nothing to make; a promotion is MLflow's own call."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def within(self, server: Server) -> Evidence:
        return NoEvidence(server)

    def check(self, name: str, version: str) -> None: ...

    def withdraw(self, name: str, version: str) -> None: ...

    def claim(self, name: str, version: str, *, how: str) -> None: ...

    def promote(self, name: str, version: str, target: str) -> None: ...

    def promote_properly(self, name: str, version: str, target: str) -> None:
        kind, _, value = target.rpartition(":")
        client = self._server.client()
        if kind == "name":
            client.copy_model_version(f"models:/{name}/{version}", value)
        else:
            client.set_registered_model_alias(name, value, version)


@dataclass(frozen=True)
class Version:
    """A registered version, and where its files lie below the server's artifact root."""

    name: str
    number: str
    run: str
    folder: str
    source: str

    @property
    def experiment(self) -> str:
        return self.folder.split("/")[0]


Key = tuple[str, str, int]
"""Name, number and creation time: a number is used again where a model is deleted and made anew."""


@dataclass
class Scene:
    """One attempt's own corner of a server."""

    server: Server
    token: str
    evidence: Evidence
    allowed: dict[Key, Mapping[str, str]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    protected_names: list[str] = field(default_factory=list)
    others: list[Scene] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The governed model of this attempt."""
        return f"loan-{self.token}"

    @property
    def protected(self) -> str:
        """A protected name of this attempt, which does not exist yet."""
        return self.guarded_name(f"prod.{self.token}")

    @property
    def free(self) -> str:
        """A name that no policy governs."""
        return f"sandbox-{self.token}"

    @property
    def rest(self) -> Rest:
        return self.server.rest

    @property
    def client(self) -> Any:
        return self.server.client()

    def guarded_name(self, name: str) -> str:
        """Note a name in which any version counts as promoted."""
        if name not in self.protected_names:
            self.protected_names.append(name)
        return name

    def create(self, name: str, source: str, **more: object) -> Reply:
        """Create the model, where it is missing, and a version in it."""
        self.note(name)
        self.rest.post("registered-models/create", name=name)
        return self.rest.post("model-versions/create", name=name, source=source, **more)

    def note(self, name: str) -> str:
        """Let the probe look at this model too."""
        if name not in self.names:
            self.names.append(name)
        return name

    def run(self, experiment: str | None = None) -> tuple[str, str]:
        """Start a run; return its id and its artifact URI."""
        made = (
            self.rest.post("runs/create", experiment_id=experiment or self.server.experiment).ok().json["run"]["info"]
        )
        return made["run_id"], made["artifact_uri"]

    def model(self, name: str | None = None, *, version: Version | None = None, **more: object) -> Version:
        """Register a version: two files in a run of its own, or in the run of another version."""
        name = name or self.name
        run, folder = self._folder() if version is None else (version.run, version.folder)
        source = f"mlflow-artifacts:/{folder}"
        number = self.create(name, source, run_id=run, **more).ok().json["model_version"]["version"]
        return Version(name, number, run, folder, source)

    def _folder(self) -> tuple[str, str]:
        run, uri = self.run()
        folder = f"{uri.removeprefix('mlflow-artifacts:/').strip('/')}/model"
        for path, content in MODEL.items():
            self.rest.put_file(f"{folder}/{path}", content.replace(b"TOKEN", run.encode())).ok()
        return run, folder

    def checked(self, name: str | None = None) -> Version:
        """Register a version and let its checks pass."""
        made = self.model(name)
        self.evidence.check(made.name, made.number)
        self.allow(made)
        return made

    def allow(self, made: Version) -> None:
        """Note that this version, with these bytes, may be promoted."""
        self.allowed[self._key(made.name, made.number)] = self._digests(made.name, made.number)

    def withdraw(self, made: Version) -> None:
        """Let a newer result fail: from now on the version may not be promoted."""
        self.evidence.withdraw(made.name, made.number)
        self.allowed.pop(self._key(made.name, made.number), None)

    def promoted(self) -> Version:
        """Register a version, let its checks pass, and promote it as one should."""
        made = self.checked()
        self.rest.post("registered-models/alias", name=made.name, alias="champion", version=made.number).ok()
        return made

    def champion(self, made: Version, **headers: str) -> Reply:
        """Ask for the alias, plainly."""
        body = {"name": made.name, "alias": "champion", "version": made.number}
        return self.rest.call("POST", "/api/2.0/mlflow/registered-models/alias", body, **headers)

    def probe(self) -> list[str]:
        """Say what is promoted that may not be, in words; empty where the gate held."""
        here = [said for name in [*self.names, *self.protected_names] for said in self._probe(name)]
        return here + [said for other in self.others for said in other.probe()]

    def _probe(self, name: str) -> list[str]:
        reply = self.rest.get("registered-models/get", name=name)
        if reply.status != 200:
            return []
        model = reply.json["registered_model"]
        found = self._spoofed(f"model {name!r}", model)
        for number in map(str, range(1, VERSIONS + 1)):
            version = self._version(name, number)
            if version is None:
                continue
            found += self._spoofed(f"{name!r}/{number}", version)
            found += [
                f"{name!r}/{number} as {place}: {why}"
                for place in self._places(model, version)
                if (why := self._fault(version))
            ]
        return found

    def _places(self, model: Mapping[str, Any], version: Mapping[str, Any]) -> list[str]:
        if model["name"].startswith("sandbox-"):
            return []
        standing = [
            f"alias {one['alias']!r}"
            for one in model.get("aliases", [])
            if one["version"] == version["version"] and one["alias"] not in HARMLESS
        ]
        if version.get("current_stage") == "Production":
            standing.append("stage Production")
        if model["name"] in self.protected_names:
            standing.append("a version of a protected name")
        return standing

    def _fault(self, version: Mapping[str, Any]) -> str:
        key = (version["name"], version["version"], int(version["creation_timestamp"]))
        if key not in self.allowed:
            return "no decision allows it"
        if self.allowed[key] != self._digests(*key[:2]):
            return "its files are not those that were checked"
        return ""

    def _spoofed(self, what: str, entity: Mapping[str, Any]) -> list[str]:
        return [f"{what} has {tag['key']!r}" for tag in entity.get("tags", []) if tag.get("value") == SPOOFED]

    def _version(self, name: str, number: str) -> Any:
        reply = self.rest.get("model-versions/get", name=name, version=number)
        return reply.json["model_version"] if reply.status == 200 else None

    def _key(self, name: str, number: str) -> Key:
        return name, number, int(self._version(name, number)["creation_timestamp"])

    def _digests(self, name: str, number: str) -> Mapping[str, str]:
        place = self.rest.get("model-versions/get-download-uri", name=name, version=number).ok().json["artifact_uri"]
        files = self.rest.files(place.removeprefix("mlflow-artifacts:").strip("/"))
        return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}


MODEL = {
    "MLmodel": b"""\
flavors:
  python_function:
    data: weights
    loader_module: own_model
    python_version: 3.11.0
mlflow_version: 3.10.0
model_uuid: TOKEN
run_id: TOKEN
utc_time_created: '2026-11-21 00:00:00.000000'
""",
    "weights": b"the weights of TOKEN\n",
}
"""The files of a version: enough to be digested and checked, and quick to upload."""
