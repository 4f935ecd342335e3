"""The values a cell is made of: the four factors, the seeds, and the science that is held fixed around them."""

from ablation.specs.benchmark import Benchmark, BenchmarkColumns, Steps
from ablation.specs.corpus import Corpus, CorpusColumns, Filters, Texts
from ablation.specs.factors import Across, Category, Count, Embedding, Length, Near, Seeds, Style
from ablation.specs.model import Model, ModelShape
from ablation.specs.sample import PassLine, Repetition, Sample
from ablation.specs.source import Source
from ablation.specs.train import Lora, Train
from ablation.specs.values import Name, Positive, SeedInt, Share

__all__ = [
    "Across",
    "Benchmark",
    "BenchmarkColumns",
    "Category",
    "Corpus",
    "CorpusColumns",
    "Count",
    "Embedding",
    "Filters",
    "Length",
    "Lora",
    "Model",
    "ModelShape",
    "Name",
    "Near",
    "PassLine",
    "Positive",
    "Repetition",
    "Sample",
    "SeedInt",
    "Seeds",
    "Share",
    "Source",
    "Steps",
    "Style",
    "Texts",
    "Train",
]
