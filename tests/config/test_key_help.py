"""The help names every key that can be set, once, in columns that fit a terminal."""

from ablation.config.key_help import key_table


def test_every_key_stands_in_the_table_once_and_within_100_columns() -> None:
    lines = key_table().splitlines()
    keys = [line.split()[0] for line in lines if line[0] != " "]
    assert {"train.batch", "sample.n", "corpus.source.path", "benchmark.steps.mark", "cluster.partition"} <= set(keys)
    assert len([key for key in keys if key == "corpus.source.path"]) == 1
    assert max(map(len, lines)) <= 100


def test_the_table_says_what_a_key_means_and_its_default() -> None:
    table = " ".join(key_table().split())
    assert "train.batch Examples per optimizer update, whatever the number of processes." in table
    assert "train.packing" in table and "(default false)" in table
