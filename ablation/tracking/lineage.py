"""A cell's selection and verdicts as artifacts of its run, and its questions as a table.

The run uses the selection and logs the verdicts, so that W&B's graph shows selection → run → verdicts. An artifact has the
name of its stage's folder, so cells that share a stage share the artifact.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablation.libraries import log_used_artifact
from ablation.specs.cell import Cell, addresses
from ablation.specs.vocabulary import StageName
from ablation.store.records import SUMMARY_FILE, VERDICTS_FILE, read_json
from ablation.store.store import Store

if TYPE_CHECKING:
    import wandb

_NAME_LIMIT = 128  # W&B's limit for the name of an artifact, in characters
QUESTION_TABLE = "questions"
COLUMNS = ("question", "tier", "attempts", "correct", "solved", "no_answer", "truncated", "mean_tokens")


def log_lineage(run: "wandb.Run", cell: Cell, store: Store, rows: pd.DataFrame) -> None:
    """Log artifacts and table to an open run. `rows` are the cell's `result_rows`."""
    import wandb

    paths = {stage: store.path(address) for stage, address in addresses(cell).items()}
    if StageName.SELECT in paths:
        log_used_artifact(run, _selection(paths[StageName.SELECT]))
    run.log_artifact(_verdicts(cell, paths[StageName.GRADE]))
    table = question_table(rows)
    run.log({QUESTION_TABLE: wandb.Table(columns=list(table.columns), data=table.to_numpy(dtype=object))})


def question_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each question, with `COLUMNS`. `solved` is 1 where any attempt was correct."""
    question_rows = []
    for (question, tier), group in rows.groupby(["question", "tier"], sort=False):
        is_correct = group["verdict"] == "correct"
        question_rows.append((
            str(question), str(tier), len(group), int(is_correct.sum()), int(is_correct.any()),
            int((group["verdict"] == "no_answer").sum()), int((group["verdict"] == "truncated").sum()),
            float(group["tokens"].mean()),
        ))  # fmt: skip
    return pd.DataFrame(question_rows, columns=list(COLUMNS))


def _selection(stage: Path) -> "wandb.Artifact":
    """Return the summary and the seal of a selection as an artifact. The trajectories stay in the store."""
    import wandb

    metadata: dict[str, Any] = {"stage": stage.name, **read_json(stage / SUMMARY_FILE)}
    artifact = wandb.Artifact(f"selection-{stage.name}"[:_NAME_LIMIT], type="selection", metadata=metadata)
    artifact.add_file(str(stage / "stage.json"), name="stage.json")
    return artifact


def _verdicts(cell: Cell, stage: Path) -> "wandb.Artifact":
    """Return the verdict on every attempt as an artifact, with the seal that names the stages it comes from."""
    import wandb

    metadata = {"stage": stage.name, "cell": cell.key, "n": cell.sample.n}
    artifact = wandb.Artifact(f"verdicts-{stage.name}"[:_NAME_LIMIT], type="verdicts", metadata=metadata)
    for name in ("stage.json", VERDICTS_FILE):
        artifact.add_file(str(stage / name), name=name)
    return artifact
