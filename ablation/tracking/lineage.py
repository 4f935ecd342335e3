"""A cell's selection and verdicts as artifacts of its run, and its questions as a table.

The run takes the selection in and puts the verdicts out, so that W&B's graph shows selection → run → verdicts; cells that share a
stage share the artifact, whose name is that of the stage's folder.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablation.libraries import log_used_artifact
from ablation.specs.cell import Cell, addresses
from ablation.store.records import SUMMARY_FILE, VERDICTS_FILE, read_json
from ablation.store.store import Store

if TYPE_CHECKING:
    import wandb

_NAME_LIMIT = 128  # W&B's for the name of an artifact
QUESTION_TABLE = "questions"
COLUMNS = ("question", "tier", "attempts", "correct", "solved", "no_answer", "truncated", "mean_tokens")


def log_lineage(run: "wandb.Run", cell: Cell, store: Store, rows: pd.DataFrame) -> None:
    """Log all of it to an open run; `rows` are the cell's `result_rows`."""
    import wandb

    paths = {stage: store.path(address) for stage, address in addresses(cell).items()}
    if "select" in paths:
        log_used_artifact(run, _selection(paths["select"]))
    run.log_artifact(_verdicts(cell, paths["grade"]))
    table = question_table(rows)
    run.log({QUESTION_TABLE: wandb.Table(columns=list(table.columns), data=table.to_numpy(dtype=object))})


def question_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a question: `COLUMNS`; `solved` is 1 where any attempt was correct."""
    told = []
    for (question, tier), group in rows.groupby(["question", "tier"], sort=False):
        is_right = group["verdict"] == "correct"
        told.append((
            str(question), str(tier), len(group), int(is_right.sum()), int(is_right.any()),
            int((group["verdict"] == "no_answer").sum()), int((group["verdict"] == "truncated").sum()),
            float(group["tokens"].mean()),
        ))  # fmt: skip
    return pd.DataFrame(told, columns=list(COLUMNS))


def _selection(stage: Path) -> "wandb.Artifact":
    """Which trajectories a cell trains on: what the selection says of itself; the trajectories stay where they are."""
    import wandb

    about: dict[str, Any] = {"stage": stage.name, **read_json(stage / SUMMARY_FILE)}
    found = wandb.Artifact(f"selection-{stage.name}"[:_NAME_LIMIT], type="selection", metadata=about)
    found.add_file(str(stage / "stage.json"), name="stage.json")
    return found


def _verdicts(cell: Cell, stage: Path) -> "wandb.Artifact":
    """The verdict on every attempt, with the seal that names the stages it comes from."""
    import wandb

    about = {"stage": stage.name, "cell": cell.key, "n": cell.sample.n}
    found = wandb.Artifact(f"verdicts-{stage.name}"[:_NAME_LIMIT], type="verdicts", metadata=about)
    for name in ("stage.json", VERDICTS_FILE):
        found.add_file(str(stage / name), name=name)
    return found
