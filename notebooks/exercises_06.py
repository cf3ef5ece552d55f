"""Checks of the exercises of notebook 06. None of them needs the engine."""

import numpy as np

from course import Check, Mistake

# --- 6.1: recall of an approximate search --------------------------------------------------------

_EXACT = np.array([[0.9, 0.8, 0.7], [0.6, 0.5, 0.5]])
_FOUND = np.array([[0.9, 0.7, 0.6], [0.6, 0.5, -np.inf]])


def _recall_probes():
    # Query 0 finds 0.9 and 0.7 of its three; query 1 finds 0.6 and 0.5, and then nothing.
    return [
        ((_FOUND.copy(), _EXACT.copy()), 4 / 6),
        ((_EXACT.copy(), _EXACT.copy()), 1.0),
        ((np.array([[0.8, 0.7, 0.1, 0.0]]), np.array([[0.9, 0.8, 0.7, 0.7]])), 2 / 4),
        ((np.full((1, 2), -np.inf), np.array([[0.4, 0.3]])), 0.0),
    ]


def _kth(exact):
    return exact[:, -1:]


check_recall = Check(
    _recall_probes,
    right="A found item counts when it is as good as the k-th best that there is.",
    mistakes=[
        Mistake(
            "place by place",
            "you compare place by place; an item found one place late is found all the same.",
            like=lambda found, exact: np.mean(found == exact),
        ),
        Mistake(
            "strictly better",
            "an item exactly as good as the k-th best is one of the k best; use >=.",
            like=lambda found, exact: np.mean(found > _kth(exact)),
        ),
        Mistake(
            "against the best",
            "you ask each item to be as good as the best; as good as the k-th best will do.",
            like=lambda found, exact: np.mean(found >= exact[:, :1]),
        ),
        Mistake(
            "among those found",
            "you divide by what was found; what was not found is missing from the k as well.",
            like=lambda found, exact: (
                np.sum(found >= _kth(exact)) / max(1, np.isfinite(found).sum())
            ),
        ),
        Mistake(
            "a count",
            "you return how many were found; recall is a share of all k places of all queries.",
            like=lambda found, exact: np.sum(found >= _kth(exact)),
        ),
    ],
)

# --- 6.2: merging what the nodes of a cluster found ----------------------------------------------


def _merge_probes():
    first = np.array([0.9, 0.5, 0.1]), np.array([3, 8, 5])
    second = np.array([0.7, 0.6, 0.5]), np.array([12, 10, 2])
    third = np.array([0.2]), np.array([7])
    return [
        (([first[0], second[0]], [first[1], second[1]], 3), np.array([3, 12, 10])),
        (([first[0], second[0]], [first[1], second[1]], 4), np.array([3, 12, 10, 2])),
        (([second[0], first[0]], [second[1], first[1]], 5), np.array([3, 12, 10, 2, 8])),
        (([third[0], first[0]], [third[1], first[1]], 3), np.array([3, 8, 7])),
    ]


def _merged(scores, ids, k, key=lambda s, i: (-s, i)):
    rows = zip(np.concatenate(scores).tolist(), np.concatenate(ids).tolist(), strict=True)
    return np.array([i for _, i in sorted(rows, key=lambda row: key(*row))[:k]])


def _by_turns(scores, ids, k):
    longest = max(len(part) for part in ids)
    return np.array([part[r] for r in range(longest) for part in ids if r < len(part)][:k])


check_merge = Check(
    _merge_probes,
    right="The k best of all lie among the k best of each node, so this is exact.",
    mistakes=[
        Mistake(
            "one after the other",
            "you join the nodes' lists without sorting them by score.",
            like=lambda scores, ids, k: np.concatenate(ids)[:k],
        ),
        Mistake(
            "by turns",
            "you take from the nodes by turns; one node may hold several of the best.",
            like=_by_turns,
        ),
        Mistake(
            "worst first",
            "the scores are inner products: the largest comes first.",
            like=lambda scores, ids, k: _merged(scores, ids, k, key=lambda s, i: (s, i)),
        ),
        Mistake(
            "ties as they come",
            "two items with one score stand in order of their id, or the answer depends on "
            "which node answers first.",
            like=lambda scores, ids, k: _merged(scores, ids, k, key=lambda s, i: -s),
        ),
        Mistake(
            "places, not ids",
            "you return places in the joined list; look up the ids there.",
            like=lambda scores, ids, k: np.lexsort((np.concatenate(ids), -np.concatenate(scores)))[
                :k
            ],
        ),
    ],
)

# --- 6.3: the smallest setting that serves everybody ---------------------------------------------


def _ef_probes():
    efs = np.array([16, 32, 64, 128])
    mixed = np.array([[0.97, 0.992, 0.999, 1.0], [0.80, 0.93, 0.98, 0.995]])
    return [
        ((efs, mixed, 0.99), 128),
        ((efs, mixed, 0.98), 64),
        ((efs, mixed, 0.985), 128),
        ((efs, mixed[::-1], 0.99), 128),
        ((efs, np.array([[0.9, 0.99, 1.0, 1.0], [0.9, 0.97, 0.985, 0.989]]), 0.985), 64),
        ((efs, mixed, 0.999), -1),  # none will do
        ((efs[:1], np.array([[0.995], [0.99]]), 0.99), 16),
    ]


def _first(efs, ok):
    return int(efs[np.argmax(ok)]) if np.any(ok) else -1


check_ef = Check(
    _ef_probes,
    right="A setting is as good as the group of queries that it serves worst.",
    mistakes=[
        Mistake(
            "on average",
            "you average over the groups; a good group then hides one that is served badly.",
            like=lambda efs, recalls, target: _first(efs, recalls.mean(axis=0) >= target),
        ),
        Mistake(
            "one group",
            "you look at the first group only; the setting must do for every row of recalls.",
            like=lambda efs, recalls, target: _first(efs, recalls[0] >= target),
        ),
        Mistake(
            "any group",
            "one group that reaches the target is not enough; all must reach it.",
            like=lambda efs, recalls, target: _first(efs, (recalls >= target).any(axis=0)),
        ),
        Mistake(
            "the largest",
            "the largest setting is the slowest; return the smallest that will do.",
            like=lambda efs, recalls, target: (
                int(efs[-1]) if (recalls[:, -1] >= target).all() else -1
            ),
        ),
        Mistake(
            "strictly above",
            "a group that reaches the target exactly has reached it; use >=.",
            like=lambda efs, recalls, target: _first(efs, (recalls > target).all(axis=0)),
        ),
    ],
)

# --- 6.4: memory and nodes -----------------------------------------------------------------------


def _node_probes():
    # 10**9 rows of 400 bytes are 400 GB; nodes of 64 GB, 3/4 of it usable: 48 GB, so 9 a copy.
    return [
        ((10**9, 400, 64, 2), 18),
        ((10**9, 400, 64, 1), 9),
        ((10**8, 480, 64, 1), 1),
        ((10**8, 481, 64, 3), 6),
        ((10**6, 100, 16, 2), 2),
    ]


def _nodes(n, row, gb, copies, usable=0.75, up=np.ceil, unit=10**9):
    return int(copies * up(n * row / (usable * gb * unit)))


check_nodes = Check(
    _node_probes,
    right="Each copy of the collection needs whole nodes of its own.",
    mistakes=[
        Mistake(
            "rounded down",
            "you round down, and the last rows have no place; a part of a node is a node.",
            like=lambda n, row, gb, copies: _nodes(n, row, gb, copies, up=np.floor),
        ),
        Mistake(
            "copies forgotten",
            "you plan for one copy; each of the copies needs that many nodes.",
            like=lambda n, row, gb, copies: _nodes(n, row, gb, 1),
        ),
        Mistake(
            "rounded after the copies",
            "round up for one copy first: two copies do not share a node, or it would take both "
            "down with it.",
            like=lambda n, row, gb, copies: int(np.ceil(copies * n * row / (0.75e9 * gb))),
        ),
        Mistake(
            "all of the memory",
            "you fill the nodes to the brim; only three quarters are for the index.",
            like=lambda n, row, gb, copies: _nodes(n, row, gb, copies, usable=1),
        ),
        Mistake(
            "a fraction",
            "nodes come whole; round up.",
            when=lambda answer, right, n, row, gb, copies: answer != np.round(answer),
        ),
    ],
)
