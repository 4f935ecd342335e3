"""A stand-in for the service of Weights & Biases, which needs an account: a local HTTP server that answers what the client asks.

It keeps every GraphQL operation and every file-stream row that it was sent. `fails_after` makes it answer 500 from the given
number of file-stream requests on, as a service does that goes away in the middle of a run; `refuses` names GraphQL operations
that it answers with an error.

Walks through no room: it stands in for W&B.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_OPERATION = re.compile(r"(?:query|mutation)\s+(\w+)")


class Service:
    """What was asked of it, by GraphQL operation, and what was streamed to it, by file."""

    def __init__(self, fails_after: int | None = None, refuses: Set[str] = frozenset()) -> None:
        self.operations: list[tuple[str, dict[str, Any]]] = []
        self.streamed: dict[str, list[str]] = {}
        self.uploads: dict[str, int] = {}
        self.is_away = False
        self._fails_after = fails_after
        self._refuses = refuses
        self._streams = 0
        self._lock = threading.Lock()
        self.url = ""

    def names(self) -> set[str]:
        """The operations that were asked for."""
        return {name for name, _ in self.operations}

    def variables(self, operation: str) -> list[dict[str, Any]]:
        """The variables of each call of an operation."""
        return [told for name, told in self.operations if name == operation]

    def graphql(self, asked: Mapping[str, Any]) -> Any:
        """The answer to one operation; null where nobody waits for more."""
        found = _OPERATION.search(asked["query"])
        name = found[1] if found else ""
        told = dict(asked.get("variables") or {})
        told = told.get("input", told)
        with self._lock:
            self.operations.append((name, told))
            place = len(self.operations)
        if name in self._refuses:
            return {"errors": [{"message": f"{name} is not allowed"}], "data": None}
        return {"data": self._data(name, told, place)}

    def stream(self, content: Mapping[str, Any]) -> bool:
        """Take rows in; False once the service has gone away."""
        with self._lock:
            self._streams += 1
            if self._fails_after is not None and self._streams > self._fails_after:
                self.is_away = True
                return False
            for file, part in (content.get("files") or {}).items():
                self.streamed.setdefault(file, []).extend(part["content"])
        return True

    def _data(self, name: str, told: Mapping[str, Any], place: int) -> Any:
        project = {"id": "p", "name": "test", "entity": {"id": "e", "name": "team"}}
        if name == "UpsertBucket":
            bucket = {"id": "b", "name": told.get("name"), "displayName": told.get("displayName"), "project": project,
                      "config": told.get("config"), "sweepName": None, "historyLineCount": 0}  # fmt: skip
            return {"upsertBucket": {"bucket": bucket, "inserted": True}}
        if name in ("Viewer", "DefaultEntity"):
            return {
                "viewer": {"id": "v", "entity": "team", "username": "someone", "flags": "{}", "teams": {"edges": []}}
            }
        if name == "CreateArtifact":
            artifact: dict[str, Any] = {"id": f"a{place}", "digest": told.get("digest"), "state": "COMMITTED", "aliases": [],
                        "artifactSequence": {"id": "s", "latestArtifact": None}}  # fmt: skip
            return {"createArtifact": {"artifact": artifact}}
        if name == "CreateArtifactManifest":
            named = dict.fromkeys(("name", "displayName"), "wandb_manifest.json")
            file = {"id": "f", **named, "uploadUrl": f"{self.url}/put", "uploadHeaders": []}
            return {"createArtifactManifest": {"artifactManifest": {"id": f"m{place}", "file": file}}}
        if name == "CreateArtifactFiles":
            edges = [
                {"node": {"id": f"f{number}", "name": one["name"], "displayName": one["name"], "storagePath": None,
                          "uploadUrl": f"{self.url}/put/{one['name']}", "uploadHeaders": [], "uploadMultipartUrls": None,
                          "artifact": {"id": one["artifactID"]}}}
                for number, one in enumerate(told["artifactFiles"])
            ]  # fmt: skip
            return {"createArtifactFiles": {"files": {"edges": edges}}}
        if name == "CommitArtifact":
            return {"commitArtifact": {"artifact": {"id": told.get("artifactID", "a"), "digest": "d"}}}
        if name == "UseArtifact":
            return {"useArtifact": {"artifact": {"id": told.get("artifactID", "a"), "digest": "d"}}}
        if name == "CreateRunFiles":
            files = [{"name": one, "uploadUrl": f"{self.url}/put/{one}"} for one in told["files"]]
            return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": files}}
        if name == "ProjectInternalId":
            return {"project": {"id": "p", "internalId": "P1"}}
        if name == "GetProjects":
            page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
            node = {"__typename": "Project", "id": "p", "name": "test", "entityName": "team",
                    "createdAt": "2026-01-01T00:00:00", "isBenchmark": False, "user": None}  # fmt: skip
            return {"models": {"pageInfo": page, "edges": [{"node": node}]}}
        if name in ("UpsertView2", "upsertView"):
            place_of = {"id": "p", "name": told["projectName"], "entityName": told["entityName"]}
            same = {key: told[key] for key in ("name", "displayName", "type", "description", "spec")}
            view = {"id": told.get("id") or f"v{place}", **same, "updatedAt": None, "project": place_of}
            return {"upsertView": {"view": view, "inserted": not told.get("id")}}
        return {"project": None}


class _Handler(BaseHTTPRequestHandler):
    service: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith("/graphql"):
            if self.service.is_away:
                return self._answer(500, {})
            return self._answer(200, self.service.graphql(json.loads(body)))
        if self.path.endswith("/file_stream"):
            kept = self.service.stream(json.loads(body))
            return self._answer(200 if kept else 500, {"limits": {}})
        return self._answer(404, {})

    def do_PUT(self) -> None:
        self.service.uploads[self.path] = len(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        self._answer(500 if self.service.is_away else 200, {})

    def do_GET(self) -> None:
        self._answer(200, {})

    def _answer(self, status: int, content: Any) -> None:
        told = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def running(service: Service) -> Iterator[Service]:
    """Serve on a free local port."""
    handler = type("Handler", (_Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
