"""Controlled fine-tuning ablations: P = f(category, count, length, style).

The path is ``config → cells → jobs → select → train → sample → grade → records → analysis → report``; each arrow
is one module, and imports point along it. Importing this package imports nothing heavy.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ablation.analysis import load

__all__ = ["load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "load":
        from ablation.analysis import load

        return load
    raise AttributeError(f"module 'ablation' has no attribute {name!r}")
