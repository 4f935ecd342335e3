"""The judge against a real server on the loopback, good replies, bad ones, and none at all."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ablation.analysis.records.load import Study
from ablation.analysis.texts.judging import Judge, judged
from ablation.errors import DataError, RecordError
from tests.analysis.studies import BASE, build, name_of, trained


class Service(BaseHTTPRequestHandler):
    """Says 5 where both solutions begin alike, 1 where not; chatters where one says so; fails where one says so."""

    asked: ClassVar[list[tuple[str, dict[str, Any], str | None]]] = []

    def do_POST(self) -> None:
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, content, self.headers.get("Authorization")))
        prompt = content["messages"][0]["content"]
        one, other = prompt.split("<<<SOLUTION A>>>\n")[1].removesuffix("\n<<<END>>>").split("\n<<<SOLUTION B>>>\n")
        if "fail" in one:
            self.send_error(500)
            return
        reply = "I would say 5, or 4" if "chatter" in one else "5" if one.split()[0] == other.split()[0] else " 1.\n"
        body = json.dumps({"choices": [{"message": {"content": reply}}]} if "odd" not in one else {"hello": 1}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing to standard error."""


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Iterator[Judge]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("JUDGE_KEY", "secret")
    Service.asked.clear()
    yield Judge(f"http://127.0.0.1:{server.server_port}/v1/", "some-model", "JUDGE_KEY", timeout_s=10)
    server.shutdown()
    server.server_close()
    thread.join()


def _study(folder: Path, says: dict[str, str]) -> Study:
    study = build([BASE, trained()], lambda _cell, q: q % 4)
    texts = study.results[["cell", "question", "attempt"]].assign(text=study.results["cell"].map(says))
    texts.to_parquet(folder / "completions.parquet")
    return replace(study, texts=folder / "completions.parquet")


BOTH = ("base", name_of(trained()))


def test_alike_and_unlike_texts_get_their_scores(judge: Judge, tmp_path: Path) -> None:
    found = judged(_study(tmp_path, {BOTH[0]: "add then", BOTH[1]: "multiply then"}), BOTH, judge, pairs=5)
    assert found["score"].tolist() == [1.0] * 5 and found["question"].nunique() == 5
    within = judged(_study(tmp_path, {BOTH[0]: "add then", BOTH[1]: "x"}), ("base", "base"), judge, pairs=12)
    assert set(within["score"]) == {5.0} and (within["attempt"] != within["other_attempt"]).all()
    path, content, key = Service.asked[0]
    assert (path, content["model"], content["temperature"], key) == (
        "/v1/chat/completions",
        "some-model",
        0,
        "Bearer secret",
    )


@pytest.mark.parametrize(
    ("says", "reason"),
    [("chatter", "not a score from 1 to 5"), ("fail", "HTTP Error 500"), ("odd", "not a chat completion")],
)
def test_what_is_no_score_is_missing_with_a_reason(judge: Judge, tmp_path: Path, says: str, reason: str) -> None:
    found = judged(_study(tmp_path, dict.fromkeys(BOTH, says)), BOTH, judge, pairs=2)
    assert found["score"].isna().all() and found["reason"].str.contains(reason).all()


def test_nobody_there_and_nothing_to_judge(judge: Judge, tmp_path: Path) -> None:
    study = _study(tmp_path, dict.fromkeys(BOTH, "add"))
    nobody = judged(study, BOTH, Judge("http://127.0.0.1:9/v1", "some-model", timeout_s=2), pairs=1)
    assert nobody["reason"].str.startswith("no answer").all()
    with pytest.raises(RecordError, match="no completions of stranger"):
        judged(study, ("base", "stranger"), judge)
    with pytest.raises(DataError, match="begins with http"):
        judged(study, BOTH, Judge("file:///etc", "some-model"), pairs=1)
