"""The exercises of notebook 05: their checks, and mistakes with part of the hint each must get."""

import collections

import numpy as np

from course import exercises_05

CHECKS = {
    "5.1": ("blocks_of", exercises_05.check_blocks),
    "5.2": ("right_order", exercises_05.check_order),
    "5.3": ("to_fetch", exercises_05.check_fetch),
    "5.4": ("ceiling_of", exercises_05.check_ceiling),
}


def numbered(keys):
    order = list(dict.fromkeys(keys))
    return [order.index(key) for key in keys]


def mean_of(S, order):
    return sum(S[i][j] for i, j in enumerate(order)) / len(order)


def kept_after(found, stock, k):
    """Return for each query how many items it takes until k are in stock."""
    return [int(np.flatnonzero(stock[row])[k - 1]) + 1 for row in found]


def shares(texts, groups):
    pairs, alone = collections.Counter(zip(texts, groups, strict=True)), collections.Counter(texts)
    return [pairs[t, g] / alone[t] for t, g in zip(texts, groups, strict=True)]


RIGHT = [
    ("5.1", lambda skus: numbered([sku[: len(sku) - 2] for sku in skus])),
    ("5.2", lambda S, orders: max(orders, key=lambda name: mean_of(S, orders[name]))),
    ("5.3", lambda found, stock, k: max(kept_after(found, stock, k))),
    ("5.4", lambda texts, groups: sum(shares(texts, groups)) / len(texts)),
]

WRONG = [
    ("5.1", lambda skus: numbered([sku[: len(sku) - 1] for sku in skus]), "not all but the last"),
    ("5.1", lambda skus: numbered([sku[0] + sku[1] for sku in skus]), "the first two characters"),
    (
        "5.1",
        lambda skus: [sorted({s[:-2] for s in skus}).index(s[:-2]) for s in skus],
        "not in order of the alphabet",
    ),
    ("5.1", lambda skus: numbered([sku[len(sku) - 2 :] for sku in skus]), "the last two"),
    (
        "5.2",
        lambda S, orders: min(orders, key=lambda name: mean_of(S, orders[name])),
        "the smallest mean",
    ),
    (
        "5.2",
        lambda S, orders: max(orders, key=lambda name: mean_of(S.T, orders[name])),
        "columns move",
    ),
    (
        "5.2",
        lambda S, orders: max(
            orders, key=lambda name: max(S[i][j] for i, j in enumerate(orders[name]))
        ),
        "the best pair only",
    ),
    ("5.2", lambda S, orders: next(iter(orders.values())), "return the name"),
    (
        "5.3",
        lambda found, stock, k: max(kept_after(found, stock, k)) - 1,
        "has to be fetched too",
    ),
    ("5.3", lambda found, stock, k: min(kept_after(found, stock, k)), "not the smallest"),
    (
        "5.3",
        lambda found, stock, k: -int(-k * len(stock) // stock.sum()),
        "enough on average",
    ),
    (
        "5.4",
        lambda texts, groups: len(set(texts)) / len(texts),
        "another photo of the same item",
    ),
    ("5.4", lambda texts, groups: sum(shares(texts, groups)), "not the sum"),
    (
        "5.4",
        lambda texts, groups: 1 - sum(shares(texts, groups)) / len(texts),
        "the share that is lost",
    ),
]
