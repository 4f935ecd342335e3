"""Every error that is raised on purpose has a kind, by which a launcher decides whether to try again."""

from ablation.errors import AblationError, ConfigProblems, DataError, NanLoss, OutOfMemory, RecordError


def test_each_error_names_its_kind() -> None:
    kinds = {
        each.__name__: each.kind
        for each in (AblationError, ConfigProblems, DataError, RecordError, OutOfMemory, NanLoss)
    }
    assert kinds == {
        "AblationError": "error",
        "ConfigProblems": "config_error",
        "DataError": "data_error",
        "RecordError": "record_error",
        "OutOfMemory": "oom_gpu",
        "NanLoss": "nan_loss",
    }
