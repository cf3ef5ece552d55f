"""What the notebooks use and nobody must read to learn: figures, checks, the ledger, the shop."""

from .checks import Check, Mistake, agree
from .figures import (
    MARKERS,
    PALETTE,
    comparison,
    curves,
    figure_numbers,
    photos,
    show,
    similarity,
)
from .ledger import Results

__all__ = [
    "MARKERS",
    "PALETTE",
    "Check",
    "Mistake",
    "Results",
    "agree",
    "comparison",
    "curves",
    "figure_numbers",
    "photos",
    "show",
    "similarity",
]
