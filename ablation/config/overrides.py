"""Look at the command line before Hydra does, which stops at the first mistake: name all of them, with the nearest match."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from ablation.config.credentials import refuse_keys
from ablation.config.execution import Execution
from ablation.config.files import refuse_unreadable
from ablation.config.messages import meaning
from ablation.errors import ConfigProblems, did_you_mean
from ablation.libraries import holds_keys, unresolved_node
from ablation.specs.cell import Cell
from ablation.specs.vocabulary import SEEDS

_LOOKS = {"--cfg", "-c", "--help", "-h", "--info", "-i", "--hydra-help"}
_OTHER_MODES = {"-sc", "--shell-completion", "shell_completion"}


def preflight(arguments: Sequence[str], config_dir: Path) -> list[str]:
    """Return the arguments with ``seed=3`` spelled out as its parts.

    Raises ConfigProblems with all unknown groups, levels and keys.
    """
    # Before anything else: whatever is wrong as well would be repeated in the text of its refusal.
    refuse_keys([{text.partition("=")[0]: text} for text in arguments], os.environ)
    positions = _override_positions(arguments)
    if any(flag in arguments for flag in _OTHER_MODES):
        return list(arguments)
    multirun = not {"-m", "--multirun"}.isdisjoint(arguments)
    looking = not _LOOKS.isdisjoint(arguments)
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config_dir), version_base="1.3"):
        refuse_unreadable(GlobalHydra.instance().config_loader())
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        try:
            parsed = dict(zip(positions, parser.parse_overrides([arguments[at] for at in positions]), strict=True))
        except HydraException as error:
            raise ConfigProblems([" ".join(str(error).split())]) from None
        endless = [item for item in parsed.values() if item.is_sweep_override() and not item.is_discrete_sweep()]
        if endless:
            raise ConfigProblems([f"{item.input_line}: an interval has no levels; list them" for item in endless])
        problems = [problem for item in parsed.values() if (problem := _unknown_level(item))]
        groups = [item for item in parsed.values() if _is_group(item)]
        problems += _unknown_keys([item for item in parsed.values() if item not in groups], groups)
    if not multirun and not looking:
        problems += _sweeps_without_multirun(list(parsed.values()))
    if problems:
        raise ConfigProblems(problems)
    return list(arguments) if multirun else _seeds_spelled_out(arguments, parsed)


def _sweeps_without_multirun(items: Sequence[Override]) -> list[str]:
    """Return a sentence for each override that asks for a sweep: one cell in its folder would replace what is shown there."""
    return [
        f"{item.input_line} asks for several cells; add -m: python launch.py -m …"
        for item in items
        if item.is_sweep_override() or (item.key_or_group == "sweep" and item.get_value_element_as_str() != "single")
    ]


def _override_positions(arguments: Sequence[str]) -> list[int]:
    return [
        position
        for position, text in enumerate(arguments)
        if not text.startswith("-") and ("=" in text or text.startswith("~"))
    ]


def _is_group(item: Override) -> bool:
    loader = GlobalHydra.instance().config_loader()
    return bool(
        loader.get_group_options(item.key_or_group, results_filter=ObjectType.CONFIG)
    ) or item.key_or_group.startswith("hydra/")


def _unknown_level(item: Override) -> str | None:
    loader = GlobalHydra.instance().config_loader()
    options = loader.get_group_options(item.key_or_group, results_filter=ObjectType.CONFIG)
    if not options or item.is_delete():
        return None
    wrong = [level for level in _levels(item) if level not in options and not level.startswith("[")]
    if not wrong:
        return None
    text = ", ".join(f"'{level}'" for level in wrong)
    return f"{item.key_or_group}: given {text}; allowed: {', '.join(options)}{did_you_mean(wrong[0], options)}"


def _levels(item: Override) -> list[str]:
    return list(item.sweep_string_iterator()) if item.is_discrete_sweep() else [item.get_value_element_as_str()]


def _unknown_keys(items: Sequence[Override], groups: Sequence[Override]) -> list[str]:
    """Return a sentence for each key that is not in what the chosen groups compose to.

    A group whose level is unknown keeps its default, so that mistakes in keys are found beside it.
    """
    chosen = [
        f"{item.key_or_group}={_levels(item)[0]}"
        for item in groups
        if not item.is_delete() and not _unknown_level(item)
    ]
    try:
        base = compose("config", overrides=chosen, return_hydra_config=True)
    except HydraException as error:
        raise ConfigProblems([" ".join(str(error).split())]) from None
    return [problem for item in items if not item.is_add() and (problem := _unknown_key(item.key_or_group, base))]


def _unknown_key(key: str, base: DictConfig) -> str | None:
    """Return a sentence for a key that the composed configuration does not have, with the nearest that it has."""
    node: Any = base
    path = key.split(".")
    for depth, part in enumerate(path):
        if not OmegaConf.is_dict(node):
            return None if depth else f"{key}: unknown key"
        if part not in node:
            allowed = [str(name) for name in node if name != "hydra"]
            section = ".".join(path[:depth]) or "the configuration"
            # `source.path` for `path` is more likely meant than a name that is spelled alike.
            inner = " or ".join(".".join([*path[:depth], name]) for name in _holding(node, path[depth:])[:3])
            hint = f"; did you mean {inner}?" if inner else did_you_mean(part, allowed, _meanings(path[:depth]))
            return f"{key}: unknown key; {section} has: {', '.join(allowed)}{hint}"
        node = unresolved_node(node, part)
        if node is None or OmegaConf.is_missing(base, key) or not isinstance(node, DictConfig):
            return None
    return None


def _meanings(section: Sequence[str]) -> Callable[[str], str | None]:
    """Return a function from a key of a section to its meaning; None for a key that is no field of a cell or an execution."""
    return lambda name: meaning(Cell, (*section, name)) or meaning(Execution, (*section, name))


def _holding(node: DictConfig, path: Sequence[str]) -> list[str]:
    """Return the keys one level below `node` that end in this path, such as ``source.path`` for ``path``."""
    inner = {str(name): unresolved_node(node, name) for name in node if name != "hydra"}
    sections = {name: child for name, child in inner.items() if isinstance(child, DictConfig) and holds_keys(child)}
    return [".".join([name, *path]) for name, section in sections.items() if path[0] in section]


def _seeds_spelled_out(arguments: Sequence[str], parsed: dict[int, Override]) -> list[str]:
    """Spell ``seed=3`` out as the three seeds; Hydra alone would trip over the integer.

    ``seed=3 seed.data=5`` means 5 for the data and 3 for the rest, in either order.
    """
    whole = {
        position: item
        for position, item in parsed.items()
        if item.key_or_group == "seed" and not item.is_sweep_override()
    }
    spelled = [f"seed.{part}={item.get_value_element_as_str()}" for item in whole.values() for part in SEEDS]
    return [*spelled, *(text for position, text in enumerate(arguments) if position not in whole)]
