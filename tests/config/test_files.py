"""Files of the configuration that are none: refused by name, in a moment, and nothing of them is run."""

from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig

from ablation.config.files import refuse_unreadable
from ablation.errors import ConfigProblems

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


def compose(folder: Path, *overrides: str) -> DictConfig:
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(folder), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        refuse_unreadable(loader)
        return loader.load_configuration("config", list(overrides), RunMode.RUN)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("file", FILES)
def test_a_file_that_is_no_plain_yaml_is_refused_by_name_where_it_is_chosen(file: str, tmp_path: Path) -> None:
    text, named = FILES[file]
    conf = tmp_path / "conf"
    (conf / "cluster").mkdir(parents=True)
    (conf / "config.yaml").write_text("defaults: [{cluster: local}, _self_]\n")
    (conf / "cluster/local.yaml").write_text("one: &one {a: 1}\ntwo: *one\n")
    (conf / "cluster/site.yaml").write_text(text)
    with pytest.raises(ConfigProblems, match=r"conf/cluster/site\.yaml: ") as refused:
        compose(conf, "cluster=site")
    assert named in str(refused.value)
    assert compose(conf).cluster.two.a == 1
