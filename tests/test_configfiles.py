"""Files of the configuration that are none: refused by name, in a moment, and nothing of them is run."""

from pathlib import Path

import pytest

from ablation.configfiles import refuse_unreadable
from ablation.errors import ConfigProblems

CONF = Path(__file__).resolve().parent.parent / "conf"
BOMB = "kind: slurm\na0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
)
FILES = {
    "anchors that grow": (BOMB, "unfold to 4,412,961,518 values"),
    "an anchor in itself": ("kind: slurm\nsetup: &a [*a]\n", "itself"),
    "a key twice": ("kind: slurm\nwait: true\nwait: false\n", "wait is given 2 times"),
    "half a list": ("kind: slurm\nsetup: [a\n", "cannot be read as YAML"),
    "a tag that makes objects": ("kind: !!python/object/apply:os.mkdir [sprung]\n", "makes objects"),
    "bytes": ("kind: \x00\n", "cannot be read as YAML"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_no_plain_yaml_is_refused_by_name(file: str, tmp_path: Path) -> None:
    text, named = FILES[file]
    (tmp_path / "conf/cluster").mkdir(parents=True)
    (tmp_path / "conf/cluster/site.yaml").write_text(text)
    with pytest.raises(ConfigProblems, match=r"conf/cluster/site\.yaml: ") as refused:
        refuse_unreadable(tmp_path / "conf")
    assert named in str(refused.value)


def test_our_own_files_and_a_few_references_are_read(tmp_path: Path) -> None:
    refuse_unreadable(CONF)
    (tmp_path / "site.yaml").write_text("one: &one {a: 1}\ntwo: *one\n")
    refuse_unreadable(tmp_path)
