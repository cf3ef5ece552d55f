"""What the notebooks use and nobody must read to learn: the shop, figures, checks, the ledger."""

import importlib

from .characters import characters
from .checks import Check, Mistake, agree
from .drawing import draw_products
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
from .grammar import COLOURS, PATTERNS, SHARED, describe_products
from .ledger import Results
from .million import Gallery, million
from .shop import make_catalogue, oracle_scores, shop, shop_model

__all__ = [
    "COLOURS",
    "MARKERS",
    "PALETTE",
    "PATTERNS",
    "SHARED",
    "Check",
    "Gallery",
    "Mistake",
    "Results",
    "agree",
    "characters",
    "comparison",
    "curves",
    "describe_products",
    "draw_products",
    "figure_numbers",
    "make_catalogue",
    "million",
    "oracle_scores",
    "photos",
    "shop",
    "shop_model",
    "show",
    "similarity",
]


def __getattr__(name):
    """Load what notebook 07 alone uses when it is first asked for."""
    if name not in ("emoji", "pretrained"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(".openmoji" if name == "emoji" else ".pretrained", __name__)
    return module.emoji if name == "emoji" else module
