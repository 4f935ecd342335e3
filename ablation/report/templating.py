"""The templates of the report as pages: everything that a file or a model wrote is escaped and cleaned."""

from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ablation.report.display_text import clean


def render_template(name: str, **context: Any) -> str:
    """Return the text of a template, filled with these values; a name that the template misses raises."""
    environment = Environment(
        loader=PackageLoader("ablation.report"),
        autoescape=True,
        finalize=_cleaned,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(**context)


def resource(name: str) -> str:
    """Return the text of a style sheet or a script, which stand beside the templates."""
    return (files("ablation.report") / "templates" / name).read_text(encoding="utf-8")


def _cleaned(value: object) -> object:
    """Return a value as a template may show it. Every expression of a template passes through; only our own Markup stays."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
