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


def render_outlook(outlook: Outlook) -> Group:
    """Return all of an outlook, most important first."""
    parts: list[RenderableType] = [_headline(outlook)]
    if outlook.left_out:
        parts.append(_left_out(outlook))
    if outlook.asks:
        parts.append(_arrays(outlook))
    parts += [*_cost(outlook), *_memory(outlook), *_disk(outlook), ""]
    if outlook.power:
        parts += [Text("smallest effect outlook with 80 % power at 5 %", "bold")]
        parts += [
            *map(Text, outlook.power),
            Text("  `ablation power` says for which tiers, and what would shrink it", "dim"),
            "",
        ]
    if outlook.confounds:
        parts += [Text("differs with a factor, all other factors and seeds equal", "bold"), _confounds(outlook)]
    if outlook.unread:
        names = ", ".join(outlook.unread)
        parts.append(
            Text(f"lengths, and whether every cell can be filled: not known before the corpus is read ({names});")
        )
        parts.append(Text("  `ablation audit` with the same arguments reads it"))
    parts += [Text(line, "yellow") for line in outlook.remarks]
    parts += [Text(f"warning: {line}", "yellow") for line in outlook.warnings]
    parts += [Text(f"would be refused: {line}", "red") for line in outlook.unfilled]
    return Group(*parts)


def _headline(outlook: Outlook) -> Text:
    work = outlook.work
    text = Text.assemble((outlook.study, "bold"), f": {work.cells} cells: ")
    text.append(f"{work.done} done", "green").append(f", {work.resume} to resume, ").append(f"{work.new} new", "cyan")
    stages = ", ".join(f"{count} × {stage}" for stage, count in outlook.work.to_do.items())
    return text.append(f"\nstill to do: {stages or 'nothing'}")


def _left_out(outlook: Outlook) -> Table:
    table = _table("left out", ("cells", "right"), ("reason", "left"))
    for reason, count in outlook.left_out.items():
        table.add_row(str(count), reason)
    return table


def _arrays(outlook: Outlook) -> Table:
    columns = ("cells", "jobs", "nodes", "GPUs", "CPUs", "limit", "GPU-h", "CPU-h")
    table = _table(
        "job arrays; hours at most", ("stage", "left"), *((name, "right") for name in columns), ("partition", "left")
    )
    for ask in outlook.asks:
        table.add_row(
            ask.stage, str(ask.cells), str(ask.tasks), *_shape(ask), _minutes(ask.resources.timeout_min),
            f"{ask.gpu_hours:,.0f}", f"{ask.cpu_hours:,.0f}", ask.resources.partition or "default",
        )  # fmt: skip
    return table


def _shape(ask: ArrayRequest) -> tuple[str, str, str]:
    """Return the nodes of one job, and the GPUs and CPUs of each node."""
    asked = ask.resources
    return str(asked.nodes), str(asked.gpus_per_node), str(asked.cpus_per_task * asked.tasks_per_node)


def _cost(outlook: Outlook) -> Iterator[RenderableType]:
    if outlook.asks:
        at_most = f"{_hours(outlook.gpu_hours)} GPU-hours and {_hours(outlook.cpu_hours)} CPU-hours"
        yield Text(f"at most {at_most}: every job to its time limit, once")
    if outlook.left is None:
        if outlook.work.done < outlook.work.cells:
            yield Text("no estimate yet: nothing like these cells has finished")
        return
    hours, unit = (
        outlook.left.seconds / 3600 * (outlook.gpus or outlook.cores),
        "GPU-hours" if outlook.gpus else "core-hours",
    )
    apart = f"; {outlook.left.unmeasured} cells like none of them are not counted" if outlook.left.unmeasured else ""
    yield Text(f"about {_hours(hours)} {unit} by the pace of {outlook.left.measured} finished stages{apart}")


def _memory(outlook: Outlook) -> Iterator[RenderableType]:
    for fit in outlook.fits:
        # What waits in the host's memory is no part of the GPU's, and has a line of its own.
        on_gpu = {name: value for name, value in asdict(fit.footprint).items() if name != "host"}
        parts = ", ".join(f"{name} {size_in_words(value)}" for name, value in on_gpu.items())
        gpus = f"{fit.processes} GPU{'s' if fit.processes > 1 else ''}{_options(fit)}"
        heading = f"memory of a GPU, {fit.model}, {fit.method}, {fit.block_tokens:,} tokens on {gpus}: "
        yield Text(
            f"{heading}{size_in_words(fit.footprint.total)} ({parts}), {'fits' if fit.fits else 'does not fit'} "
            f"{fit.gpu_memory_gb:g} GB",
            "" if fit.fits else "red",
        )
        if fit.footprint.host:
            yield Text(f"  and {size_in_words(fit.footprint.host)} of the host's memory for each GPU")
        if fit.remedy:
            yield Text(f"  would fit: {fit.remedy}", "red")


def _options(fit: MemoryFit) -> str:
    """Return how the processes share a model, as the end of a heading: ``, ZeRO 3 with offload``."""
    options, text = fit.means, ""
    if options.zero and fit.processes > 1:
        text += f", ZeRO {options.zero}{' with offload' if options.offload else ''}"
    if options.sequence_parallel > 1:
        text += f", each example over {options.sequence_parallel} of them"
    return text + ("" if options.activations == "auto" else f", activations: {options.activations}")


def _disk(outlook: Outlook) -> Iterator[RenderableType]:
    disk = outlook.disk
    if disk.weights:
        # Weights alone can be given back while the study runs, so the advice is about them.
        style = "red" if disk.is_short else ""
        every, few = size_in_words(disk.weights), size_in_words(disk.weights_at_once)
        weights = (
            f"{every} of weights" if disk.keep == "weights" else f"up to {few} of weights ({every} with keep=weights)"
        )
        yield Text(
            f"disk: {weights}, up to {size_in_words(disk.checkpoints)} of checkpoints while {disk.running} train at once; "
            f"{size_in_words(disk.free)} free",
            style,
        )
        other = (
            f"keep=none drops them as cells are graded, up to {few} at once; so does `ablation clean STUDY --weights`"
        )
        later = "more attempts later need the training again"
        kept = {"weights": other, "adapter": f"adapters stay; of the others, {later}", "none": later}[disk.keep]
        yield Text(f"  not enough for all at once: {kept}" if disk.is_short else f"  {kept}", style or "dim")
    if outlook.retraining.cells:
        again = outlook.retraining
        hours, unit = (
            again.seconds / 3600 * (outlook.gpus or outlook.cores),
            "GPU-hours" if outlook.gpus else "core-hours",
        )
        yield Text(
            f"{again.cells} cells need weights that were dropped: {again.trainings} trainings again, "
            f"about {_hours(hours)} {unit} (the launch names the folders to move away)",
            "yellow",
        )
    if disk.unknown:
        names = ", ".join(disk.unknown)
        yield Text(f"disk: size not known of {names}; `ablation prefetch`, or set model.parameters", "yellow")


def _confounds(outlook: Outlook) -> Table:
    """Return a table with a row for each level of each factor, and a column for each quantity that differs with one."""
    quantities = list(dict.fromkeys(confound.quantity for confound in outlook.confounds))
    table = _table(None, ("", "left"), ("", "left"), *((name, "right") for name in quantities))
    for factor in dict.fromkeys(confound.factor for confound in outlook.confounds):
        by_quantity = {
            confound.quantity: confound.by_level for confound in outlook.confounds if confound.factor == factor
        }
        levels = in_order(list(dict.fromkeys(level for by_level in by_quantity.values() for level in by_level)))
        for row, level in enumerate(levels):
            # A quantity may differ with one factor and not with another: then its cells are empty.
            values = [by_quantity.get(name, {}).get(level) for name in quantities]
            texts = ["" if value is None else f"{value:,.0f}" for value in values]
            table.add_row("" if row else factor, level, *texts)
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
    """Return bytes as people say them: ``41.6 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"
