"""The answers of curtailed cells: pass line reached or missed, and the attempts that this took. No rate is made of them."""

import pandas as pd

from ablation.analysis.records.load import SEED_COLUMNS, Study
from ablation.specs.vocabulary import FACTORS, CellState

DECIDED_COLUMNS = ["cell", *FACTORS, *SEED_COLUMNS, "line", "answer", "correct", "attempts", "planned"]


def decided(study: Study) -> pd.DataFrame:
    """Return one row per cell whose pass line is decided, in the order of the study (columns `DECIDED_COLUMNS`).

    `answer` is ``reached`` or ``missed``: the same that all `planned` attempts would have given. `correct` of `attempts`
    were right. Their share estimates nothing, because sampling ended as soon as the answer was certain.
    """
    done = study.curtailed[study.curtailed["state"] == CellState.DONE]
    names = {f"line_{name}": name for name in ("answer", "correct", "attempts")}
    frame = done.rename(columns=names).assign(planned=done["cell"].map(study.planned))
    return frame.reindex(columns=DECIDED_COLUMNS).reset_index(drop=True)
