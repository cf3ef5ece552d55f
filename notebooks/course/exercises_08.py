"""Checks of the exercises of notebook 08. None of them needs the engine."""

import heapq

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

# --- 8.3: a walk that goes on until enough pass --------------------------------------------------

_LINE = [[1], [0, 2], [1, 3], [2, 4], [3, 5], [4]]
_STAR = [[1, 2, 3], [0], [0], [0]]


def _walk_probes():
    def far(*distances):
        return np.array(distances, dtype=float)

    def passes(*ids, n=6):
        return np.isin(np.arange(n), ids)

    return [
        # All the way to the only one that passes.
        ((_LINE, far(1, 2, 3, 4, 5, 6), 0, 1, passes(5)), ([5], 6)),
        # 1 is kept; 2 is compared, and worse.
        ((_LINE, far(3, 1, 2, 4, 5, 6), 0, 1, passes(1, 5)), ([1], 3)),
        # Two are wanted, so it goes on to 5.
        ((_LINE, far(3, 1, 2, 4, 5, 6), 0, 2, passes(1, 5)), ([1, 5], 6)),
        ((_LINE, far(6, 5, 4, 3, 2, 1), 0, 2, passes(0, 1, 3)), ([3, 1], 6)),
        ((_STAR, far(2, 1, 3, 4), 0, 2, passes(0, 2, 3, n=4)), ([0, 2], 4)),
        ((_STAR, far(2, 1, 3, 4), 1, 3, passes(n=4)), ([], 4)),  # none passes
    ]


def _walk(
    links, far, start, ef, passes, *, keeps=None, enters=None, enough=None, count="compared"
):
    """Walk with each decision open, so that mistakes can be told apart."""
    keeps = passes if keeps is None else keeps
    compared, opened = {start: None}, 0  # as a list in order, and quickly searched
    queue, kept = [(far[start], start)], [(far[start], start)] if keeps[start] else []
    while queue:
        distance, here = heapq.heappop(queue)
        if kept and len(kept) >= (enough or ef) and distance > kept[-1][0]:
            break
        opened += 1
        for other in links[here]:
            if other not in compared:
                compared[other] = None
                if enters is None or enters[other]:
                    heapq.heappush(queue, (far[other], other))
                if keeps[other]:
                    kept = sorted([*kept, (far[other], other)])[:ef]
    return [i for _, i in kept], len(compared) if count == "compared" else opened, compared


def walk_on(*arguments, **options):
    """Return (ids kept, nearest first, and the number of points compared)."""
    return _walk(*arguments, **options)[:2]


def _dropped_after(links, far, start, ef, passes):
    kept, n = walk_on(links, far, start, ef, passes, keeps=np.ones(len(far), bool))
    return [i for i in kept if passes[i]], n


def _second_list(links, far, start, ef, passes):
    _, n, met = _walk(links, far, start, ef, passes, keeps=np.ones(len(far), bool))
    return sorted((i for i in met if passes[i]), key=lambda i: far[i])[:ef], n


def _start_kept(links, far, start, ef, passes):
    return walk_on(links, far, start, ef, passes, keeps=passes | (np.arange(len(far)) == start))


check_walk_on = Check(
    _walk_probes,
    right="It finds what passes, and the rarer that is, the more points it compares.",
    mistakes=[
        Mistake(
            "dropped after",
            "you drop at the end what fails; then failing points fill kept and end the walk. Let "
            "them into the queue, not into kept.",
            like=_dropped_after,
        ),
        Mistake(
            "a second list",
            "your walk ends where it ends without a filter, as in section 3; only points that "
            "pass may fill kept.",
            like=_second_list,
        ),
        Mistake(
            "through passing points only",
            "you follow links of passing points only; those that fail are walked through too.",
            like=lambda *a: walk_on(*a, enters=a[4]),
        ),
        Mistake(
            "the start unasked",
            "the start is kept only if it passes.",
            like=_start_kept,
        ),
        Mistake(
            "one is enough",
            "you stop as soon as the queue is worse than what is kept; go on while fewer than ef "
            "are kept.",
            like=lambda *a: walk_on(*a, enough=1),
        ),
        Mistake(
            "opened",
            "you count the points opened; count those compared with the query.",
            like=lambda *a: walk_on(*a, count="opened"),
        ),
    ],
)

# --- 8.4: does joining pay for a mix -------------------------------------------------------------


def _gain_probes():
    hybrid, parts = np.array([0.9, 0.4, 0.6]), np.array([[0.0, 0.6, 0.7], [1.0, 0.1, 0.0]])
    return [
        # Parts reach 0.3 and 0.525 on the first mix, the join 0.7.
        ((hybrid, parts, np.array([0.5, 0.25, 0.25])), 0.7 - 0.525),
        ((hybrid, parts, np.array([0.1, 0.8, 0.1])), 0.47 - 0.55),
        ((hybrid[:2], parts[:, :2], np.array([0.0, 1.0])), 0.4 - 0.6),
        ((np.array([0.5, 0.5]), np.eye(2), np.array([0.25, 0.75])), -0.25),
    ]


check_gain = Check(
    _gain_probes,
    right="Whether joining pays is a fact about your queries, not about joining.",
    mistakes=[
        Mistake(
            "the best part of each kind",
            "you take the best part of each kind; the engine does not know the kind, so one part "
            "must serve the whole mix.",
            like=lambda h, p, mix: h @ mix - p.max(axis=0) @ mix,
        ),
        Mistake(
            "a mix of equal shares",
            "you weigh all kinds alike; weigh them by mix.",
            like=lambda h, p, mix: h.mean() - p.mean(axis=1).max(),
        ),
        Mistake(
            "the mean part",
            "you compare with the mean of the parts; compare with the best one.",
            like=lambda h, p, mix: h @ mix - (p @ mix).mean(),
        ),
        Mistake(
            "the other way round",
            "a gain is what the join has more.",
            like=lambda h, p, mix: (p @ mix).max() - h @ mix,
        ),
    ],
)
