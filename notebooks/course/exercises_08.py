"""Checks of the exercises of notebook 08. None of them needs the engine."""

import numpy as np

from .checks import Check, Mistake

# --- 8.1: joining ranked lists -------------------------------------------------------------------


def _join_probes():
    return [
        # 7: 1/61 + 1/63; 3: 1/62 + 1/61; 9: 1/63; 5: 1/62.
        (([[7, 3, 9], [3, 5, 7]], 4), [3, 7, 5, 9]),
        (([[4, 8], [6, 8]], 3), [8, 4, 6]),  # 4 and 6 are equal
        (([[6, 8], [4, 8]], 2), [8, 4]),
        (([[12, 2, 30], [], [41]], 2), [12, 41]),  # a list may be empty
        (([[1, 2, 3, 4, 5], [9, 5]], 2), [5, 1]),
        (([[20, 10, 11], [30, 11], [40, 11, 10]], 1), [11]),
    ]


def _sums(lists, weight=lambda rank: 1 / (60 + rank), first=1):
    total = {}
    for ids in lists:
        for rank, i in enumerate(ids, first):
            total[i] = total.get(i, 0) + weight(rank)
    return total


def _ranked(total, k, key=None):
    return sorted(total, key=key or (lambda i: (-total[i], i)))[:k]


def _best_only(lists, k):
    total = {}
    for ids in lists:
        for rank, i in enumerate(ids, 1):
            total[i] = max(total.get(i, 0), 1 / (60 + rank))
    return _ranked(total, k)


def _common_only(lists, k):
    total = _sums(lists)
    return _ranked({i: s for i, s in total.items() if sum(i in ids for ids in lists) > 1}, k)


def _ties_as_they_come(lists, k):
    total = _sums(lists)
    return _ranked(total, k, key=lambda i: -total[i])


def _plain_ranks(lists, k):
    total = _sums(lists, lambda rank: rank)
    return _ranked(total, k, key=lambda i: (total[i], i))


check_join = Check(
    _join_probes,
    right="An item that two lists know stands before one that only the better list knows.",
    mistakes=[
        Mistake(
            "one after the other",
            "you put one list after the other; an item's place must depend on all lists.",
            like=lambda lists, k: list(dict.fromkeys(i for ids in lists for i in ids))[:k],
        ),
        Mistake(
            "sum of ranks",
            "you add ranks, so that an item found by one list only has the smallest sum; add "
            "1 / (60 + rank).",
            like=_plain_ranks,
        ),
        Mistake(
            "best rank only",
            "you take an item's best rank; add what it gets from every list.",
            like=_best_only,
        ),
        Mistake(
            "in all lists only",
            "you leave out items that one list only has found.",
            like=_common_only,
        ),
        Mistake(
            "ties as they come",
            "two items with equal sums stand in order of their id, or the answer depends on which "
            "list comes first.",
            like=_ties_as_they_come,
        ),
        Mistake(
            "worst first",
            "the largest sum comes first.",
            like=lambda lists, k: _ranked(t := _sums(lists), k, key=lambda i: (t[i], i)),
        ),
    ],
)

# --- 8.2: how many to fetch before a filter ------------------------------------------------------

_PASSES = np.array(
    [
        [0, 1, 0, 0, 1, 0, 0, 1],  # two after 5, three after 8
        [1, 1, 0, 0, 0, 0, 0, 0],  # two after 2
        [0, 0, 0, 1, 0, 0, 1, 0],  # two after 7
        [1, 0, 1, 0, 0, 1, 0, 0],  # two after 3, three after 6
    ],
    dtype=bool,
)


def _fetch_probes():
    return [
        ((_PASSES.copy(), 2, 0.75), 5),
        ((_PASSES.copy(), 2, 1.0), 7),
        ((_PASSES.copy(), 2, 0.5), 3),
        ((_PASSES.copy(), 1, 1.0), 4),
        ((_PASSES.copy(), 3, 0.5), 8),
        ((_PASSES.copy(), 3, 0.75), -1),
        ((_PASSES[1:2].copy(), 3, 1.0), -1),
    ]


def _places(passes, k):
    """Return for each query the place, from 1, at which its k-th passing item stands, or inf."""
    rows = [np.flatnonzero(row) for row in passes]
    return np.array([row[k - 1] + 1 if len(row) >= k else np.inf for row in rows])


def _needed(passes, k, share, off=0):
    place = np.sort(_places(passes, k))[int(np.ceil(share * len(passes))) - 1]
    return int(place) + off if np.isfinite(place) else -1


def _by_mean(passes, k, share):
    return int(np.ceil(k / np.mean(passes)))


def _strictly(passes, k, share):
    enough = np.mean(np.cumsum(passes, axis=1) >= k, axis=0) > share
    return int(np.argmax(enough)) + 1 if enough.any() else -1


check_how_many = Check(
    _fetch_probes,
    right="The unlucky queries decide, and the mean says nothing about them.",
    mistakes=[
        Mistake(
            "k over the mean",
            "you divide k by the share that passes; that is enough on average only. Count for "
            "each query.",
            like=_by_mean,
        ),
        Mistake(
            "place from zero",
            "you return a place counted from 0; to reach place 4 one must fetch 5.",
            like=lambda passes, k, share: -1 if (n := _needed(passes, k, share)) < 0 else n - 1,
        ),
        Mistake(
            "every query",
            "you wait for every query; a share of them is enough.",
            like=lambda passes, k, share: _needed(passes, k, 1.0),
        ),
        Mistake(
            "one that passes",
            "you stop at the first that passes; k of them are needed.",
            like=lambda passes, k, share: _needed(passes, 1, share),
        ),
        Mistake(
            "more than the share",
            "a share that is reached exactly is reached; use >=.",
            like=_strictly,
        ),
        Mistake(
            "never enough",
            "where no number will do, return -1.",
            when=lambda answer, right, *_: right == -1,
        ),
    ],
)

# --- 8.3: the cost of a query from counters ------------------------------------------------------


def _cost_probes():
    return [
        # 1000, 2000 and 5000 distances for 10 queries: 100, 200, 500 a query, and 20 centres.
        ((np.array([0, 1000, 3000, 8000]), 10, 20, 4), np.array([480.0, 880.0, 2080.0])),
        ((np.array([500, 900]), 4, 100, 64), np.array([12800.0])),  # the counter stood at 500
        ((np.array([7, 7, 107]), 100, 1, 2), np.array([2.0, 4.0])),
    ]


def _cost(readings, n, nlist, d):
    return np.array(
        [((b - a) / n + nlist) * d for a, b in zip(readings, readings[1:], strict=False)]
    )


check_cost = Check(
    _cost_probes,
    right="Differences of readings, centres included, per query, times the numbers in a vector.",
    mistakes=[
        Mistake(
            "readings, not differences",
            "the counter only grows: a run's own distances are the difference of two readings.",
            like=lambda r, n, nlist, d: (r[1:] / n + nlist) * d,
        ),
        Mistake(
            "centres forgotten",
            "each query is compared with the centres of all nlist cells too.",
            like=lambda r, n, nlist, d: _cost(r, n, 0, d),
        ),
        Mistake(
            "centres once",
            "every query is compared with the centres, not one query for all.",
            like=lambda r, n, nlist, d: (np.diff(r) + nlist) / n * d,
        ),
        Mistake(
            "all queries",
            "you return the cost of a whole run; divide the distances by the queries.",
            like=lambda r, n, nlist, d: (np.diff(r) + n * nlist) * d,
        ),
        Mistake(
            "distances",
            "you return distances; one distance multiplies d numbers.",
            like=lambda r, n, nlist, d: _cost(r, n, nlist, 1),
        ),
    ],
)

# --- 8.4: nodes as a range -----------------------------------------------------------------------


def _node_probes():
    return [
        # 200 million rows of 2,200 bytes are 440 GB: 9 nodes with 51.2 GB; 2,850: 570, 15 of 38.4.
        ((200e6, (2200, 2850), 64, (0.6, 0.8), 2), (18, 30)),
        ((200e6, (2200, 2850), 64, (0.6, 0.8), 1), (9, 15)),
        ((1e9, (400, 600), 64, (0.6, 0.8), 2), (16, 32)),
        ((1e6, (400, 400), 64, (0.5, 0.5), 3), (3, 3)),
        ((1e8, (480, 490), 100, (0.48, 0.5), 2), (2, 4)),
    ]


def _range(n, row, gb, usable, copies, *, up=np.ceil, order=(1, 0), unit=1e9):
    per_copy = [up(n * b / (usable[o] * gb * unit)) for b, o in zip(row, order, strict=True)]
    return tuple(int(copies * m) for m in per_copy)


def _after_copies(n, row, gb, usable, copies):
    few, many = (n * copies * b / (s * gb * 1e9) for b, s in zip(row, usable[::-1], strict=True))
    return int(np.ceil(few)), int(np.ceil(many))


check_nodes = Check(
    _node_probes,
    right="A range says how much the readings differ, and what to measure before buying.",
    mistakes=[
        Mistake(
            "small with small",
            "the fewest nodes come from the fewest bytes in the *most* usable memory, and the "
            "most from the most bytes in the least.",
            like=lambda *a: _range(*a, order=(0, 1)),
        ),
        Mistake(
            "rounded down",
            "a part of a node is a node; round up.",
            like=lambda *a: _range(*a, up=np.floor),
        ),
        Mistake(
            "rounded after the copies",
            "round up for one copy first: two copies do not share a node, or it would take both "
            "down with it.",
            like=_after_copies,
        ),
        Mistake(
            "copies forgotten",
            "you plan for one copy; each copy needs that many nodes.",
            like=lambda n, row, gb, usable, copies: _range(n, row, gb, usable, 1),
        ),
        Mistake(
            "all of the memory",
            "you fill the nodes to the brim; only a share of their memory is usable.",
            like=lambda n, row, gb, usable, copies: _range(n, row, gb, (1, 1), copies),
        ),
    ],
)
