"""Checks for the exercises of notebook 05. Call one with your function; it prints one line."""

import numpy as np

from . import Check, Mistake

# --- 5.1 blocks by article number ---------------------------------------------------------------


def _block_probes():
    return [
        ((["AB-1204", "AB-1293", "AB-1301", "CD-1204"],), np.array([0, 0, 1, 2])),
        ((["Z900", "A101", "Z933", "A250", "A150"],), np.array([0, 1, 0, 2, 1])),
        ((["x1", "x2"],), np.array([0, 0])),
    ]


def _numbered(keys):
    seen = {}
    return np.array([seen.setdefault(key, len(seen)) for key in keys])


check_blocks = Check(
    _block_probes,
    right="Neighbours by number now stay on one side of a split.",
    mistakes=[
        Mistake(
            "only the last is cut",
            "a block is all but the last two characters, not all but the last.",
            like=lambda skus: _numbered(sku[:-1] for sku in skus),
        ),
        Mistake(
            "the first two",
            "you keep the first two characters; keep all but the last two.",
            like=lambda skus: _numbered(sku[:2] for sku in skus),
        ),
        Mistake(
            "sorted",
            "number the blocks as they first appear, not in order of the alphabet.",
            like=lambda skus: np.unique([sku[:-2] for sku in skus], return_inverse=True)[1],
        ),
        Mistake(
            "the end",
            "you compare the last two characters, which tell siblings apart; drop them.",
            like=lambda skus: _numbered(sku[-2:] for sku in skus),
        ),
    ],
)

# --- 5.2 which order broke the pairs ------------------------------------------------------------


def _order_probes():
    turn, back = np.array([1, 2, 0]), np.array([2, 0, 1])
    S = np.array([[0.0, 0.9, 0.1], [0.2, 0.0, 0.3], [0.6, 0.1, 0.05]])
    # Under the first, one pair is the best of all and the others are poor.
    loud = np.array([[0.9, 0.5, 0.0], [0.0, 0.0, 0.5], [0.5, 0.0, 0.0]])
    return [
        ((S, {"as it is": np.arange(3), "turned": turn, "back": back}), "turned"),
        ((S.T, {"as it is": np.arange(3), "turned": turn, "back": back}), "back"),
        ((loud, {"as it is": np.arange(3), "turned": turn}), "turned"),
    ]


def _best(S, orders, value, choose=max):
    found = {name: value(S, order) for name, order in orders.items()}
    return choose(found, key=found.get)


check_order = Check(
    _order_probes,
    right="The right order stands out, because true pairs score higher on average.",
    mistakes=[
        Mistake(
            "smallest",
            "larger scores are better; you choose the smallest mean.",
            like=lambda S, orders: _best(
                S, orders, lambda S, o: S[np.arange(len(S)), o].mean(), min
            ),
        ),
        Mistake(
            "the other way round",
            "photo i belongs to text order[i]: rows stay, columns move.",
            like=lambda S, orders: _best(S, orders, lambda S, o: S[o, np.arange(len(S))].mean()),
        ),
        Mistake(
            "the best pair",
            "you look at the best pair only; average over all pairs.",
            like=lambda S, orders: _best(S, orders, lambda S, o: S[np.arange(len(S)), o].max()),
        ),
        Mistake(
            "the order itself",
            "return the name, not the permutation.",
            when=lambda answer, right, S, orders: not isinstance(answer, str),
        ),
    ],
)

# --- 5.3 how many to fetch before a filter ------------------------------------------------------


def _fetch_probes():
    found = np.array([[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]])
    stock = np.array([True, False, True, False, False, True])
    return [
        ((found, stock, 1), 1),
        ((found, stock, 2), 4),  # the first query has two after 3, the second after 4
        ((found, stock, 3), 6),
        ((found[:1], stock, 2), 3),
    ]


def _needed(found, in_stock, k):
    return [
        next(m for m in range(1, len(row) + 1) if in_stock[row[:m]].sum() >= k) for row in found
    ]


check_fetch = Check(
    _fetch_probes,
    right="The unluckiest query decides how many to fetch.",
    mistakes=[
        Mistake(
            "one too few",
            "you count the items before the last one needed; that one has to be fetched too.",
            like=lambda found, stock, k: max(_needed(found, stock, k)) - 1,
        ),
        Mistake(
            "the luckiest query",
            "every query must keep k, so the largest number decides, not the smallest.",
            like=lambda found, stock, k: min(_needed(found, stock, k)),
        ),
        Mistake(
            "on average",
            "k divided by the share in stock is enough on average, not for every query.",
            like=lambda found, stock, k: int(np.ceil(k / stock.mean())),
        ),
    ],
)

# --- 5.4 a ceiling with groups ------------------------------------------------------------------


def _ceiling_probes():
    return [
        # By hand: rows 0 and 1 are one item and share their text with row 2: 2/3, 2/3, 1/3, 1.
        ((["mug", "mug", "mug", "hat"], [0, 0, 1, 2]), 8 / 3 / 4),
        ((["a", "b", "c"], [0, 0, 1]), 1.0),
        ((["a", "a"], [0, 1]), 0.5),
    ]


def _share(texts, groups):
    rows = list(zip(texts, groups, strict=True))
    return [rows.count(row) / texts.count(row[0]) for row in rows]


check_ceiling = Check(
    _ceiling_probes,
    right="Equal texts of one item cost nothing; those of other items do.",
    mistakes=[
        Mistake(
            "without groups",
            "another photo of the same item is right too: count the g rows of the own item.",
            like=lambda texts, groups: np.mean([1 / texts.count(text) for text in texts]),
        ),
        Mistake(
            "a sum",
            "return the mean over the rows, not the sum.",
            like=lambda texts, groups: np.sum(_share(texts, groups)),
        ),
        Mistake(
            "what is lost",
            "you return the share that is lost; the ceiling is the rest.",
            like=lambda texts, groups: 1 - np.mean(_share(texts, groups)),
        ),
    ],
)
