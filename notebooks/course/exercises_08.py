"""Checks of the exercises of notebook 08. None of them needs the engine."""

import math

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

# --- 8.3: what a question costs, from counters ---------------------------------------------------


def _cost_probes():
    def probe(counter, asked, cells, d, code, bytes_read, centres):
        given = np.array(counter), np.array(asked), cells, d, code
        return given, (np.array(bytes_read, float), centres / np.array(bytes_read, float))

    return [
        # 100, 200 and 200 rows of 8 bytes; 4 centres of 8 numbers are 128 bytes.
        probe([1000, 3000, 7000], [10, 10, 20], 4, 8, 8, [928, 1728, 1728], 128),
        probe([600], [3], 25, 2, 5, [1200], 200),  # 200 rows of 5 bytes
        probe([50, 50, 90], [5, 2, 8], 3, 10, 2, [140, 120, 130], 120),
    ]


def cost(counter, asked, cells, d, code, *, row=None, centre=None, fresh=True, each=True):
    """Return (bytes a question reads, share of the centres), each (s,)."""
    counted = np.diff(counter, prepend=0) if fresh else counter
    rows = counted / asked * (row or code)
    coarse = cells * (centre or 4 * d) / (1 if each else asked)
    return rows + coarse, coarse / (rows + coarse)


def _rows_only(counter, asked, cells, d, code):
    return cost(counter, asked, 0, d, code)[0]


check_cost = Check(
    _cost_probes,
    right="The smaller the codes, the more of a question's cost are the centres.",
    mistakes=[
        Mistake(
            "a counter that runs on",
            "the counter is never reset; a batch is what it grew by.",
            like=lambda *a: cost(*a, fresh=False),
        ),
        Mistake(
            "a whole batch",
            "you return what a batch reads; divide what was counted by its questions.",
            like=lambda counter, asked, *a: cost(counter, np.ones(len(asked)), *a),
        ),
        Mistake(
            "centres left out",
            "FAISS did not count the centres, and each question is compared with all of them.",
            when=lambda answer, right, *a: np.allclose(answer[0], _rows_only(*a)),
        ),
        Mistake(
            "centres once a batch",
            "each question of a batch is compared with all centres, not the batch once.",
            like=lambda *a: cost(*a, each=False),
        ),
        Mistake(
            "centres as codes",
            "you count a centre as a code; its d numbers have four bytes each.",
            like=lambda *a: cost(*a, centre=a[4]),
        ),
        Mistake(
            "rows in full",
            "you count a row as d numbers of four bytes; it is stored as a code.",
            like=lambda *a: cost(*a, row=4 * a[3]),
        ),
        Mistake(
            "share of the rows",
            "you divide the centres by the rows; their share is of both together.",
            when=lambda answer, right, *a: np.allclose(answer[1], right[0] / _rows_only(*a) - 1),
        ),
    ],
)

# --- 8.4: nodes as a range, with reasons ---------------------------------------------------------

_READINGS = {"file": (10, 4), "rule": (0, 6)}


def _plan_probes():
    share = (0.5, 0.8)
    return [
        # Two rows of 1 and 3 numbers: file 36 bytes, rule 24; ten of each twice: 720 and 480.
        ((10, (1, 3), dict(_READINGS), share, 2, 100), [(6, "rule"), (15, "file")]),
        # 64 and 66 bytes: now the rule is the larger, though for a row of 1 it is the smaller.
        ((10, (1, 10), dict(_READINGS), share, 1, 100), [(8, "file"), (14, "rule")]),
        ((1, (1, 1), dict(_READINGS), share, 3, 100), [(3, "rule"), (3, "file")]),
        ((10, (5, 5), {"a": (0, 5), "b": (1, 4)}, (0.5, 1), 1, 50), [(9, "b"), (20, "a")]),
    ]


def _bytes(n, widths, readings, copies):
    return {name: copies * n * sum(b + c * d for d in widths) for name, (b, c) in readings.items()}


def plan(n, widths, readings, usable, copies, node, *, rounded=math.ceil, shares=(max, min)):
    """Return [(fewest nodes, name of the reading), (most nodes, name of the reading)]."""
    need = _bytes(n, widths, readings, copies)
    names = min(need, key=need.get), max(need, key=need.get)
    filled = [share(usable) * node for share in shares]
    return [(max(copies, rounded(need[x] / y)), x) for x, y in zip(names, filled, strict=True)]


def _each_collection(n, widths, readings, usable, copies, node):
    """Return the two numbers if each collection gets nodes of its own."""
    ends = [plan(n, (d,), readings, usable, copies, node) for d in widths]
    return [sum(end[0][0] for end in ends), sum(end[1][0] for end in ends)]


def _mixed_readings(n, widths, readings, usable, copies, node):
    """Return the two numbers if each collection takes the reading that suits the end."""
    each = [_bytes(n, (d,), readings, copies).values() for d in widths]
    low, high = sum(min(x) for x in each), sum(max(x) for x in each)
    ends = low / (max(usable) * node), high / (min(usable) * node)
    return [max(copies, math.ceil(end)) for end in ends]


def _counts(answer):
    return [number for number, _ in answer]


check_plan = Check(
    _plan_probes,
    right="Each end of the range has its reason, so a measurement can move it.",
    mistakes=[
        Mistake(
            "the wrong reason",
            "the numbers are right, the names are not; say which reading sets each end.",
            when=lambda answer, right, *a: _counts(answer) == _counts(right),
        ),
        Mistake(
            "one collection",
            "during the swap the rows of both collections are in memory.",
            when=lambda answer, right, n, widths, *a: (
                _counts(answer) in [_counts(plan(n, (d,), *a)) for d in widths]
            ),
        ),
        Mistake(
            "no copies",
            "each row is held as many times as there are copies.",
            like=lambda n, w, r, u, copies, node: plan(n, w, r, u, 1, node),
        ),
        Mistake(
            "shares exchanged",
            "nodes are fewest where the largest share of each holds rows.",
            like=lambda *a: plan(*a, shares=(min, max)),
        ),
        Mistake(
            "rounded down",
            "a part of a node is a node; round up.",
            like=lambda *a: plan(*a, rounded=math.floor),
        ),
        Mistake(
            "fewer than copies",
            "two copies of a row lie on different nodes, so there are at least as many nodes as "
            "copies.",
            when=lambda answer, right, n, w, r, u, copies, node: min(_counts(answer)) < copies,
        ),
        Mistake(
            "readings mixed",
            "you take another reading for each collection; one reading holds for both.",
            when=lambda answer, right, *a: _counts(answer) == _mixed_readings(*a),
        ),
        Mistake(
            "rounded twice",
            "you round each collection up; they share the nodes, so add before you round.",
            when=lambda answer, right, *a: _counts(answer) == _each_collection(*a),
        ),
    ],
)
