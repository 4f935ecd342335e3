"""From a composed master configuration and the command line to the cells of a sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from pydantic import ValidationError

from ablation.config.execution import Execution
from ablation.config.files import refuse_unreadable
from ablation.config.messages import sentences
from ablation.config.read import plain, read_cell, read_cells, read_execution
from ablation.config.sweep.compose import compose_points, overrides_of, unresolved_content
from ablation.config.sweep.design import COUNT_SIZE, FACTORS, Design, LeftOut, exclusions_on_unset_keys
from ablation.config.sweep.points import expand_design, narrow, remarks
from ablation.errors import ConfigProblems
from ablation.specs.cell import Cell

_HERE = Path(__file__).resolve().parents[2]
# Beside the package in a checkout, inside it in an installed wheel.
CONFIG_DIR = next(
    (folder for folder in (_HERE.parent / "conf", _HERE / "conf") if folder.is_dir()), _HERE.parent / "conf"
)


@dataclass(frozen=True)
class Sweep:
    """The cells of a sweep, the same as Hydra overrides, and what was left out. `remarks` are the design's lines to read."""

    cells: tuple[Cell, ...]
    overrides: tuple[tuple[str, ...], ...]
    left_out: tuple[LeftOut, ...]
    execution: Execution
    remarks: tuple[str, ...]


def expand_sweep(master: DictConfig, given: Sequence[Override], loader: ConfigLoader) -> Sweep:
    """All cells of the sweep, validated. Raises ConfigProblems with everything that is wrong in any of them."""
    refuse_unreadable(loader)
    whole = read_design(master)
    levels, fixed = _levels_and_fixed(given, whole)
    design = narrow(whole, levels)
    expansion = expand_design(design)

    def compose(overrides: Sequence[str]) -> Mapping[str, Any]:
        return unresolved_content(loader.load_sweep_config(master, [*fixed, *overrides]))

    contents = compose_points(expansion.points, compose)
    return Sweep(
        cells=tuple(read_cells(contents)),
        overrides=tuple((*fixed, *overrides_of(point)) for point in expansion.points),
        left_out=expansion.left_out,
        execution=read_execution(contents[0]),
        remarks=tuple(remarks(design, expansion)),
    )


def compose_sweep(arguments: Sequence[str]) -> Sweep:
    """The grid of a command line (``["sweep=cnls"]``), composed as ``launch.py -m`` composes it. Raises ConfigProblems."""
    from ablation.config.overrides import preflight

    preflight(["-m", *arguments], CONFIG_DIR)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        try:
            master = loader.load_configuration("config", list(arguments), run_mode=RunMode.MULTIRUN)
        except HydraException as error:
            raise ConfigProblems([" ".join(str(error.__cause__ or error).split())]) from None
        given = OverridesParser.create(config_loader=loader).parse_overrides(list(arguments))
        return expand_sweep(master, given, loader)


def read_design(master: DictConfig) -> Design:
    """The design of the chosen sweep file. Raises ConfigProblems."""
    content = OmegaConf.to_container(master.sweep.design, resolve=True)
    try:
        design = Design.model_validate(content, strict=False)
    except ValidationError as error:
        raise ConfigProblems([f"sweep.design.{line}" for line in sentences(error, Design)]) from None
    if problems := exclusions_on_unset_keys(design):
        raise ConfigProblems(problems)
    return design


def read_composed_cells(configs: Sequence[DictConfig]) -> tuple[list[Cell], list[dict[str, Any]]]:
    """The cells of configurations that another sweeper composed, and their contents. Raises ConfigProblems."""
    contents = [plain(OmegaConf.create(unresolved_content(config))) for config in configs]
    return read_cells(contents), contents


def refuse_unexpanded_design(config: DictConfig) -> None:
    """Raise ConfigProblems when a sweeper that knows no design would run one cell of a whole sweep."""
    if len(expand_design(read_design(config)).points) > 1:
        name = config.sweep.name
        raise ConfigProblems(
            [
                f"sweep={name}: its design is expanded by hydra/sweeper=ablation alone; leave hydra/sweeper out, or leave "
                f"sweep={name} out and give the levels on the command line"
            ]
        )


def read_single_cell(config: DictConfig) -> tuple[Cell, Execution]:
    """The one cell of a composed configuration and how to run it; the problems of both at once."""
    content = plain(config)
    problems: list[str] = []
    found: list[Any] = []
    for read in (read_cell, read_execution):
        try:
            found.append(read(content))
        except ConfigProblems as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigProblems(problems)
    return found[0], found[1]


def _levels_and_fixed(given: Sequence[Override], design: Design) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Factors, swept keys and keys that the design sets go to the design; everything else is the same for all cells."""
    levels: dict[str, tuple[str, ...]] = {}
    fixed: list[str] = []
    own = {*FACTORS, COUNT_SIZE, *design.keys()}
    swept = [item.get_key_element() for item in given if item.is_sweep_override()]
    foreign = [key for key in swept if key.lstrip("+~").split(".")[0] not in Cell.model_fields]
    if foreign:
        raise ConfigProblems(
            [f"{key}: cannot be swept, since it cannot change a number; quote a value with a comma" for key in foreign]
        )
    for item in given:
        key = item.get_key_element()
        if item.is_sweep_override():
            levels[key] = _swept(item, design.max_cells)
        elif key in own or key.split(".")[0] == "seed":
            levels[key] = (item.get_value_element_as_str(),)
        else:
            fixed.append(str(item.input_line))
    return levels, fixed


def _swept(item: Override, most: int) -> tuple[str, ...]:
    """The levels of one key. Raises ConfigProblems when they alone are more than a design may have."""
    levels = tuple(islice(item.sweep_string_iterator(), most + 1))
    if len(levels) > most:
        raise ConfigProblems(
            [f"{item.input_line}: more than {most:,} levels; give fewer, or say sweep.design.max_cells=NUMBER"]
        )
    return levels
