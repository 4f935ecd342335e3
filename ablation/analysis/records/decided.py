"""What curtailed cells say: whether each reached its pass line, and how many attempts that took. No rate is made of them."""

import pandas as pd

from ablation.analysis.records.load import SEED_COLUMNS, Study
from ablation.specs.vocabulary import FACTORS

DECIDED_COLUMNS = ["cell", *FACTORS, *SEED_COLUMNS, "line", "answer", "correct", "attempts", "planned"]


def decided(study: Study) -> pd.DataFrame:
    """One row for each cell whose line is decided, in the order of the study (columns `DECIDED_COLUMNS`).

    `answer` is ``reached`` or ``missed``, the same that all `planned` attempts would have given. `correct` of `attempts` is how
    it came about; since they ended when it was certain, their share estimates nothing.
    """
    done = study.curtailed[study.curtailed["state"] == "done"]
    names = {f"line_{name}": name for name in ("answer", "correct", "attempts")}
    frame = done.rename(columns=names).assign(planned=done["cell"].map(study.planned))
    return frame.reindex(columns=DECIDED_COLUMNS).reset_index(drop=True)
