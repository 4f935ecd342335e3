"""The values a cell is made of: the four factors, the seeds, and the science that is held fixed around them."""

from ablation.science.benchmark import Benchmark, Columns, Steps
from ablation.science.corpus import Corpus, CorpusColumns, Filters, Texts
from ablation.science.factors import Across, Category, Count, Embedding, Length, Near, Seeds, Style
from ablation.science.model import Model, Shape
from ablation.science.recipe import Lora, Train
from ablation.science.sampling import PassLine, Repetition, Sample
from ablation.science.source import Source
from ablation.science.values import Name, Positive, SeedInt, Share

__all__ = [
    "Across",
    "Benchmark",
    "Category",
    "Columns",
    "Corpus",
    "CorpusColumns",
    "Count",
    "Embedding",
    "Filters",
    "Length",
    "Lora",
    "Model",
    "Name",
    "Near",
    "PassLine",
    "Positive",
    "Repetition",
    "Sample",
    "SeedInt",
    "Seeds",
    "Shape",
    "Share",
    "Source",
    "Steps",
    "Style",
    "Texts",
    "Train",
]
