"""Weights & Biases as a view of the records: one run for each cell, under the cell's key.

The records are the truth. A run is written from them when the cell is complete. No failure of the tracker harms the cell.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablation.analysis.records.metrics import cell_table
from ablation.config.tracker import Tracker
from ablation.evaluation.evaluator_name import describe_evaluators
from ablation.specs.cell import Cell, addresses
from ablation.specs.versions import GRADER
from ablation.specs.vocabulary import StageName
from ablation.store.files import write_text_atomically
from ablation.store.records import LOSS_FILE, SUMMARY_FILE, TIMING_FILE, WEIGHTS_FOLDER, Update, read_json, read_rows
from ablation.store.store import Store, read_seal
from ablation.study.cell_facts import planned_attempts, tier_order
from ablation.study.tables import line_of, result_rows
from ablation.tracking.lineage import log_lineage

if TYPE_CHECKING:
    import wandb
from ablation.config.tracker import Mode, mode_of

# W&B's limit for the name of an artifact, in characters.
_NAME_LIMIT = 128


def track(cells: Sequence[Cell], store: Store, tracker: Tracker, study: str) -> list[str]:
    """Log each complete cell that this study has not logged yet. Return the troubles as sentences.

    A tracker that fails raises nothing. Raises RecordError when a stage's folder is of other work.
    """
    mode = mode_of(tracker)
    if mode == "disabled":
        return []
    ledger = store.root / "tracked"
    ledger.mkdir(parents=True, exist_ok=True)
    troubles: list[str] = []
    for cell in cells:
        if not store.find(cell.outcome):
            continue
        studies = _studies(ledger / cell.key)
        if study in studies:
            continue
        trouble = _log(cell, store, tracker, mode, [*studies, study])
        if trouble:
            troubles.append(trouble)
            break  # one refusal is enough to know that the service is out of reach; the next command tries again
        write_text_atomically(ledger / cell.key, json.dumps([*studies, study]))
    return troubles


def _log(cell: Cell, store: Store, tracker: Tracker, mode: Mode, studies: list[str]) -> str | None:
    import pandas as pd
    import wandb

    root = store.root.parent.resolve()
    try:
        run = wandb.init(
            id=cell.key, name=cell.name, project=tracker.project, entity=tracker.entity,
            group=studies[0], tags=[name[:64] for name in studies],
            config=run_config(cell, store), dir=str(root), mode=mode, resume="allow", reinit="create_new", job_type="cell",
            settings=wandb.Settings(
                init_timeout=tracker.init_timeout_s, finish_timeout=tracker.finish_timeout_s,
                finish_timeout_raises=True, silent=True, console="off", disable_git=True, save_code=False,
                x_disable_stats=True, x_disable_meta=True,
            ),
        )  # fmt: skip
        run.define_metric("train/update", hidden=True)
        run.define_metric("train/*", step_metric="train/update")
        is_first = len(studies) == 1  # a run that is continued has its curve and its artifacts already
        if is_first and not cell.is_base:
            stage = store.path(addresses(cell)[StageName.TRAIN])
            for update in read_rows(stage / LOSS_FILE, Update):
                run.log({f"train/{name}": value for name, value in update.model_dump().items()})
            if (stage / WEIGHTS_FOLDER).is_dir():
                run.log_artifact(weights_artifact(cell, stage))
        run.summary.update(summary(cell, store))
        if is_first:
            log_lineage(run, cell, store, pd.DataFrame(result_rows(cell, store)))
        run.finish()
    except Exception as error:  # noqa: BLE001 a tracker may fail in any way, and must not fail a cell
        return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
    return None


def weights_artifact(cell: Cell, stage: Path) -> "wandb.Artifact":
    """Return an artifact that refers to the weights in their folder, so that none are uploaded.

    Sizes and checksums are those of the stage's seal.
    """
    import wandb

    files = {name: entry for name, entry in read_seal(stage)["files"].items() if name.startswith(f"{WEIGHTS_FOLDER}/")}
    metadata = {
        "base": cell.model.source.canonical(),
        "kind": "adapter" if cell.train and cell.train.leaves_adapter else "weights",
        "files": {name: {"bytes": size, "sha256": checksum} for name, (size, checksum) in files.items()},
    }
    artifact = wandb.Artifact(f"weights-{stage.name}"[:_NAME_LIMIT], type="model", metadata=metadata)
    # The reference is its own checksum: to read the files again would take as long as to write them.
    artifact.add_reference((stage / WEIGHTS_FOLDER).resolve().as_uri(), checksum=False)
    return artifact


def run_config(cell: Cell, store: Store) -> dict[str, Any]:
    """Return the config of a run: the nested cell, the values of its factors as plain columns, its evaluator and its grader.

    It holds no path of a machine. Runs are to be grouped by evaluator and grader, since those of others do not compare.
    """
    judges = {"evaluator": ", ".join(sorted(describe_evaluators([cell], store))), "grader": GRADER}
    return {**cell.canonical(), "factors": cell.factors(), "key": cell.key, **judges}


def summary(cell: Cell, store: Store) -> dict[str, Any]:
    """Return the summary of a run: avg@n and cov@n of each tier, or the decision on the pass line; then the training."""
    if cell.sample.decides:
        values: dict[str, Any] = dict(line_of(cell, store))
    else:
        values = dict(_scores(cell, store))
    for group, file in () if cell.is_base else (("train", SUMMARY_FILE), ("timing", TIMING_FILE)):
        content = read_json(store.path(addresses(cell)[StageName.TRAIN]) / file)
        values |= {f"{group}/{name}": value for name, value in content.items() if value is not None}
    return values


def _scores(cell: Cell, store: Store) -> dict[str, float]:
    import pandas as pd

    planned = {cell.name: planned_attempts(cell)}
    measured = cell_table(pd.DataFrame(result_rows(cell, store)), planned, tier_order([cell])).iloc[0]
    return {
        f"{name}@{cell.sample.n}/{column.removeprefix(name + '_')}": float(measured[column])
        for name in ("avg", "cov")
        for column in measured.index
        if str(column).startswith(f"{name}_")
    }


def _studies(path: Path) -> list[str]:
    """Return the studies that have logged a cell. A damaged note counts as none: logging again under the same id does no harm."""
    try:
        return [str(name) for name in json.loads(path.read_text())]
    except (FileNotFoundError, ValueError, TypeError):
        return []
