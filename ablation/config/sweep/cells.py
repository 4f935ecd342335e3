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
from ablation.config.sweep.design import COUNT_SIZE, Design, LeftOut, exclusions_on_unset_keys
from ablation.config.sweep.narrow import Levels, narrow
from ablation.config.sweep.points import expand_design, remarks
from ablation.errors import ConfigProblems
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import FACTORS

_PACKAGE = Path(__file__).resolve().parents[2]
# Beside the package in a checkout, inside it in an installed wheel.
CONFIG_DIR = next(
    (folder for folder in (_PACKAGE.parent / "conf", _PACKAGE / "conf") if folder.is_dir()), _PACKAGE.parent / "conf"
)


@dataclass(frozen=True)
class Sweep:
    """The cells of a sweep, and how to run them."""

    cells: tuple[Cell, ...]
    overrides: tuple[tuple[str, ...], ...]
    """The Hydra overrides of each cell, in the order of `cells`."""
    left_out: tuple[LeftOut, ...]
    """The points of the design that became no cell."""
    execution: Execution
    remarks: tuple[str, ...]
    """The lines to read before spending (see `points.remarks`)."""


def compose_sweep(arguments: Sequence[str]) -> Sweep:
    """Return the sweep of a command line (``["sweep=cnls"]``), composed as ``launch.py -m`` composes it.

    Raises ConfigProblems.
    """
    from ablation.config.overrides import preflight

    preflight(["-m", *arguments], CONFIG_DIR)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        try:
            master = loader.load_configuration("config", list(arguments), run_mode=RunMode.MULTIRUN)
        except HydraException as error:
            raise ConfigProblems([" ".join(str(error.__cause__ or error).split())]) from None
        overrides = OverridesParser.create(config_loader=loader).parse_overrides(list(arguments))
        return expand_sweep(master, overrides, loader)


def expand_sweep(master: DictConfig, overrides: Sequence[Override], loader: ConfigLoader) -> Sweep:
    """Return all cells of the sweep that `master` describes and the command line narrows, validated.

    Raises ConfigProblems with everything that is wrong in any of them.
    """
    refuse_unreadable(loader)
    whole_design = read_design(master)
    levels, shared_overrides = _split_overrides(overrides, whole_design)
    design = narrow(whole_design, levels)
    expanded = expand_design(design)

    def compose(point_overrides: Sequence[str]) -> Mapping[str, Any]:
        return unresolved_content(loader.load_sweep_config(master, [*shared_overrides, *point_overrides]))

    contents = compose_points(expanded.points, compose)
    return Sweep(
        cells=tuple(read_cells(contents)),
        overrides=tuple((*shared_overrides, *overrides_of(point)) for point in expanded.points),
        left_out=expanded.left_out,
        execution=read_execution(contents[0]),
        remarks=tuple(remarks(design, expanded)),
    )


def read_design(master: DictConfig) -> Design:
    """Return the design of the chosen sweep file. Raises ConfigProblems."""
    content = OmegaConf.to_container(master.sweep.design, resolve=True)
    try:
        design = Design.model_validate(content, strict=False)
    except ValidationError as error:
        raise ConfigProblems([f"sweep.design.{line}" for line in sentences(error, Design)]) from None
    if problems := exclusions_on_unset_keys(design):
        raise ConfigProblems(problems)
    return design


def read_composed_cells(configs: Sequence[DictConfig]) -> tuple[list[Cell], list[dict[str, Any]]]:
    """Return the cells of configurations that another sweeper composed, and their contents. Raises ConfigProblems."""
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
    """Return the one cell of a composed configuration and how to run it.

    Raises ConfigProblems with the problems of both at once.
    """
    content = plain(config)
    problems: list[str] = []
    parts: list[Any] = []
    for read in (read_cell, read_execution):
        try:
            parts.append(read(content))
        except ConfigProblems as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigProblems(problems)
    return parts[0], parts[1]


def _split_overrides(overrides: Sequence[Override], design: Design) -> tuple[dict[str, Levels], list[str]]:
    """Return the levels that narrow the design, and the overrides that are the same for all cells.

    Levels are those of factors, of swept keys and of keys that the design sets. Raises ConfigProblems.
    """
    levels: dict[str, Levels] = {}
    shared_overrides: list[str] = []
    swept_keys = [override.get_key_element() for override in overrides if override.is_sweep_override()]
    foreign_keys = [key for key in swept_keys if key.lstrip("+~").split(".")[0] not in Cell.model_fields]
    # Cells that differed in such a key alone would be one cell: the key of a cell is made of its own fields.
    if foreign_keys:
        raise ConfigProblems(
            [
                f"{key}: cannot be swept, since it cannot change a number; quote a value with a comma"
                for key in foreign_keys
            ]
        )
    design_keys = {*FACTORS, COUNT_SIZE, *design.keys()}
    for override in overrides:
        key = override.get_key_element()
        if override.is_sweep_override():
            levels[key] = _swept_levels(override, design.max_cells)
        elif key in design_keys or key.split(".")[0] == "seed":
            # A shared override would be overruled by the point's own level of this key.
            levels[key] = (override.get_value_element_as_str(),)
        else:
            shared_overrides.append(str(override.input_line))
    return levels, shared_overrides


def _swept_levels(override: Override, most: int) -> Levels:
    """Return the levels of one key. Raises ConfigProblems when they alone are more than a design may have."""
    levels = tuple(islice(override.sweep_string_iterator(), most + 1))
    if len(levels) > most:
        raise ConfigProblems(
            [f"{override.input_line}: more than {most:,} levels; give fewer, or say sweep.design.max_cells=NUMBER"]
        )
    return levels
