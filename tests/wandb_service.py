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
        return [variables for name, variables in self.operations if name == operation]

    def graphql(self, request: Mapping[str, Any]) -> Any:
        """The answer to one operation; null where nobody waits for more."""
        match = _OPERATION.search(request["query"])
        name = match[1] if match else ""
        variables = dict(request.get("variables") or {})
        variables = variables.get("input", variables)
        with self._lock:
            self.operations.append((name, variables))
            number = len(self.operations)
        if name in self._refuses:
            return {"errors": [{"message": f"{name} is not allowed"}], "data": None}
        return {"data": self._data(name, variables, number)}

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

    def _data(self, name: str, variables: Mapping[str, Any], number: int) -> Any:
        project = {"id": "p", "name": "test", "entity": {"id": "e", "name": "team"}}
        if name == "UpsertBucket":
            bucket = {"id": "b", "name": variables.get("name"), "displayName": variables.get("displayName"), "project": project,
                      "config": variables.get("config"), "sweepName": None, "historyLineCount": 0}  # fmt: skip
            return {"upsertBucket": {"bucket": bucket, "inserted": True}}
        if name in ("Viewer", "DefaultEntity"):
            return {
                "viewer": {"id": "v", "entity": "team", "username": "someone", "flags": "{}", "teams": {"edges": []}}
            }
        if name == "CreateArtifact":
            digest = variables.get("digest")
            artifact: dict[str, Any] = {"id": f"a{number}", "digest": digest, "state": "COMMITTED", "aliases": [],
                        "artifactSequence": {"id": "s", "latestArtifact": None}}  # fmt: skip
            return {"createArtifact": {"artifact": artifact}}
        if name == "CreateArtifactManifest":
            named = dict.fromkeys(("name", "displayName"), "wandb_manifest.json")
            file = {"id": "f", **named, "uploadUrl": f"{self.url}/put", "uploadHeaders": []}
            return {"createArtifactManifest": {"artifactManifest": {"id": f"m{number}", "file": file}}}
        if name == "CreateArtifactFiles":
            edges = [
                {"node": {"id": f"f{index}", "name": file["name"], "displayName": file["name"], "storagePath": None,
                          "uploadUrl": f"{self.url}/put/{file['name']}", "uploadHeaders": [], "uploadMultipartUrls": None,
                          "artifact": {"id": file["artifactID"]}}}
                for index, file in enumerate(variables["artifactFiles"])
            ]  # fmt: skip
            return {"createArtifactFiles": {"files": {"edges": edges}}}
        if name == "CommitArtifact":
            return {"commitArtifact": {"artifact": {"id": variables.get("artifactID", "a"), "digest": "d"}}}
        if name == "UseArtifact":
            return {"useArtifact": {"artifact": {"id": variables.get("artifactID", "a"), "digest": "d"}}}
        if name == "CreateRunFiles":
            files = [{"name": file, "uploadUrl": f"{self.url}/put/{file}"} for file in variables["files"]]
            return {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": files}}
        if name == "ProjectInternalId":
            return {"project": {"id": "p", "internalId": "P1"}}
        if name == "GetProjects":
            page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
            node = {"__typename": "Project", "id": "p", "name": "test", "entityName": "team",
                    "createdAt": "2026-01-01T00:00:00", "isBenchmark": False, "user": None}  # fmt: skip
            return {"models": {"pageInfo": page, "edges": [{"node": node}]}}
        if name in ("UpsertView2", "upsertView"):
            place_of = {"id": "p", "name": variables["projectName"], "entityName": variables["entityName"]}
            same = {key: variables[key] for key in ("name", "displayName", "type", "description", "spec")}
            view = {"id": variables.get("id") or f"v{number}", **same, "updatedAt": None, "project": place_of}
            return {"upsertView": {"view": view, "inserted": not variables.get("id")}}
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
            is_there = self.service.stream(json.loads(body))
            return self._answer(200 if is_there else 500, {"limits": {}})
        return self._answer(404, {})

    def do_PUT(self) -> None:
        self.service.uploads[self.path] = len(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        self._answer(500 if self.service.is_away else 200, {})

    def do_GET(self) -> None:
        self._answer(200, {})

    def _answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

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
