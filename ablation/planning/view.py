"""The outlook as tables for a terminal, 80 columns and no colour included."""

from collections.abc import Iterator
from dataclasses import asdict

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ablation.jobs.status.counts import in_order
from ablation.planning.cost import ArrayRequest
from ablation.planning.fits import MemoryFit
from ablation.planning.outlook import Outlook


def render_outlook(found: Outlook) -> Group:
    """All of it, most important first."""
    parts: list[RenderableType] = [_headline(found)]
    if found.left_out:
        parts.append(_left_out(found))
    if found.asks:
        parts.append(_arrays(found))
    parts += [*_cost(found), *_memory(found), *_disk(found), ""]
    if found.power:
        parts += [Text("smallest effect found with 80 % power at 5 %", "bold")]
        parts += [
            *map(Text, found.power),
            Text("  `ablation power` says for which tiers, and what would shrink it", "dim"),
            "",
        ]
    if found.confounds:
        parts += [Text("differs with a factor, all other factors and seeds equal", "bold"), _confounds(found)]
    if found.unread:
        names = ", ".join(found.unread)
        parts.append(
            Text(f"lengths, and whether every cell can be filled: not known before the corpus is read ({names});")
        )
        parts.append(Text("  `ablation audit` with the same arguments reads it"))
    parts += [Text(line, "yellow") for line in found.remarks]
    parts += [Text(f"warning: {line}", "yellow") for line in found.warnings]
    parts += [Text(f"would be refused: {line}", "red") for line in found.unfilled]
    return Group(*parts)


def _headline(found: Outlook) -> Text:
    work = found.work
    told = Text.assemble((found.study, "bold"), f": {work.cells} cells: ")
    told.append(f"{work.done} done", "green").append(f", {work.resume} to resume, ").append(f"{work.new} new", "cyan")
    stages = ", ".join(f"{count} × {stage}" for stage, count in found.work.to_do.items())
    return told.append(f"\nstill to do: {stages or 'nothing'}")


def _left_out(found: Outlook) -> Table:
    table = _table("left out", ("cells", "right"), ("reason", "left"))
    for reason, count in found.left_out.items():
        table.add_row(str(count), reason)
    return table


def _arrays(found: Outlook) -> Table:
    columns = ("cells", "jobs", "nodes", "GPUs", "CPUs", "limit", "GPU-h", "CPU-h")
    table = _table(
        "job arrays; hours at most", ("stage", "left"), *((name, "right") for name in columns), ("partition", "left")
    )
    for ask in found.asks:
        table.add_row(
            ask.stage, str(ask.cells), str(ask.tasks), *_shape(ask), _minutes(ask.resources.timeout_min),
            f"{ask.gpu_hours:,.0f}", f"{ask.cpu_hours:,.0f}", ask.resources.partition or "default",
        )  # fmt: skip
    return table


def _shape(ask: ArrayRequest) -> tuple[str, str, str]:
    """Nodes; GPUs and CPUs of each."""
    asked = ask.resources
    return str(asked.nodes), str(asked.gpus_per_node), str(asked.cpus_per_task * asked.tasks_per_node)


def _cost(found: Outlook) -> Iterator[RenderableType]:
    if found.asks:
        at_most = f"{_hours(found.gpu_hours)} GPU-hours and {_hours(found.cpu_hours)} CPU-hours"
        yield Text(f"at most {at_most}: every job to its time limit, once")
    if found.left is None:
        if found.work.done < found.work.cells:
            yield Text("no estimate yet: nothing like these cells has finished")
        return
    hours, unit = found.left.seconds / 3600 * (found.gpus or found.cores), "GPU-hours" if found.gpus else "core-hours"
    apart = f"; {found.left.unmeasured} cells like none of them are not counted" if found.left.unmeasured else ""
    yield Text(f"about {_hours(hours)} {unit} by the pace of {found.left.measured} finished stages{apart}")


def _memory(found: Outlook) -> Iterator[RenderableType]:
    for one in found.fits:
        told = {name: value for name, value in asdict(one.footprint).items() if name != "host"}
        parts = ", ".join(f"{name} {size_in_words(value)}" for name, value in told.items())
        where = f"{one.processes} GPU{'s' if one.processes > 1 else ''}{_means(one)}"
        place = f"memory of a GPU, {one.model}, {one.method}, {one.block_tokens:,} tokens on {where}: "
        yield Text(
            f"{place}{size_in_words(one.footprint.total)} ({parts}), {'fits' if one.fits else 'does not fit'} "
            f"{one.gpu_memory_gb:g} GB",
            "" if one.fits else "red",
        )
        if one.footprint.host:
            yield Text(f"  and {size_in_words(one.footprint.host)} of the host's memory for each GPU")
        if one.remedy:
            yield Text(f"  would fit: {one.remedy}", "red")


def _means(one: MemoryFit) -> str:
    means, told = one.means, ""
    if means.zero and one.processes > 1:
        told += f", ZeRO {means.zero}{' with offload' if means.offload else ''}"
    if means.sequence_parallel > 1:
        told += f", each example over {means.sequence_parallel} of them"
    return told + ("" if means.activations == "auto" else f", activations: {means.activations}")


def _disk(found: Outlook) -> Iterator[RenderableType]:
    disk = found.disk
    if disk.weights:
        style = "red" if disk.is_short else ""
        every, few = size_in_words(disk.weights), size_in_words(disk.weights_at_once)
        told = (
            f"{every} of weights" if disk.keep == "weights" else f"up to {few} of weights ({every} with keep=weights)"
        )
        yield Text(
            f"disk: {told}, up to {size_in_words(disk.checkpoints)} of checkpoints while {disk.running} train at once; "
            f"{size_in_words(disk.free)} free",
            style,
        )
        other = (
            f"keep=none drops them as cells are graded, up to {few} at once; so does `ablation clean STUDY --weights`"
        )
        later = "more attempts later need the training again"
        kept = {"weights": other, "adapter": f"adapters stay; of the others, {later}", "none": later}[disk.keep]
        yield Text(f"  not enough for all at once: {kept}" if disk.is_short else f"  {kept}", style or "dim")
    if found.retraining.cells:
        again = found.retraining
        hours, unit = again.seconds / 3600 * (found.gpus or found.cores), "GPU-hours" if found.gpus else "core-hours"
        yield Text(
            f"{again.cells} cells need weights that were dropped: {again.trainings} trainings again, "
            f"about {_hours(hours)} {unit} (the launch names the folders to move away)",
            "yellow",
        )
    if disk.unknown:
        names = ", ".join(disk.unknown)
        yield Text(f"disk: size not known of {names}; `ablation prefetch`, or set model.parameters", "yellow")


def _confounds(found: Outlook) -> Table:
    quantities = list(dict.fromkeys(one.quantity for one in found.confounds))
    table = _table(None, ("", "left"), ("", "left"), *((name, "right") for name in quantities))
    for factor in dict.fromkeys(one.factor for one in found.confounds):
        mine = {one.quantity: one.by_level for one in found.confounds if one.factor == factor}
        levels = in_order(list(dict.fromkeys(level for by_level in mine.values() for level in by_level)))
        for place, level in enumerate(levels):
            values = [mine.get(name, {}).get(level) for name in quantities]
            table.add_row("" if place else factor, level, *("" if one is None else f"{one:,.0f}" for one in values))
    return table


def _table(title: str | None, *columns: tuple[str, str]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        collapse_padding=True,
        title=title,
        title_justify="left",
        title_style="bold",
    )
    for name, justify in columns:
        table.add_column(name, justify="right" if justify == "right" else "left")
    return table


def _minutes(count: int) -> str:
    hours, minutes = divmod(count, 60)
    return f"{hours}:{minutes:02d}"


def _hours(count: float) -> str:
    return f"{count:,.0f}" if count >= 10 else f"{count:.2g}"


def size_in_words(count: float) -> str:
    """Bytes as people say them: ``41.6 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"
