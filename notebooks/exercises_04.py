"""The checks of notebook 04's exercises, and the wrong answers that they know."""

import numpy as np

from course import Check, Mistake

# --- 4.1: which groups to open -------------------------------------------------------------------


def _groups_probes():
    return [
        ((np.array([0.2, 0.9, 0.5, 0.8, 0.1]), 2), np.array([1, 3])),
        ((np.array([0.4, 0.7, 0.4, 0.9, 0.4, 0.1]), 3), np.array([0, 1, 2, 3, 4])),
        ((np.array([0.3, 0.6, 0.1]), 1), np.array([1])),
        ((np.array([-0.3, -0.6, -0.1, -0.2]), 2), np.array([2, 3])),
    ]


check_groups = Check(
    _groups_probes,
    right="No item of another group can be among the k best, nor tie with the k-th.",
    mistakes=[
        Mistake(
            "ties left out",
            "you open just k groups; one more whose peak equals the k-th may hold an equal item.",
            like=lambda peaks, k: np.sort(np.argsort(-peaks, kind="stable")[:k]),
        ),
        Mistake(
            "strictly above",
            "you open only groups above the k-th highest peak; that group itself counts too.",
            like=lambda peaks, k: np.flatnonzero(peaks > np.sort(peaks)[-k]),
        ),
        Mistake(
            "the lowest",
            "you open the groups with the lowest peaks; the best items have the highest scores.",
            like=lambda peaks, k: np.flatnonzero(peaks <= np.sort(peaks)[k - 1]),
        ),
        Mistake(
            "the peaks themselves",
            "you return peaks; return the numbers of their groups.",
            like=lambda peaks, k: np.sort(peaks)[-k:],
        ),
        Mistake(
            "not ascending",
            "these are the right groups in another order; return their numbers ascending.",
            when=lambda answer, right, peaks, k: np.array_equal(np.sort(answer), right),
        ),
    ],
)

# --- 4.2: recall against the exact result --------------------------------------------------------


def _recall_probes():
    return [
        ((np.array([[3, 1, 2], [4, 9, 8]]), np.array([[1, 2, 3], [4, 5, 6]])), 4 / 6),
        ((np.array([[1, 2], [3, 4]]), np.array([[3, 4], [1, 2]])), 0.0),
        ((np.array([[7, 5, 0]]), np.array([[0, 7, 2]])), 2 / 3),
    ]


def _shared(found, true):
    return [len(set(f) & set(t)) for f, t in zip(found.tolist(), true.tolist(), strict=True)]


check_recall = Check(
    _recall_probes,
    right="Each query counts by itself, and the order within a line does not matter.",
    mistakes=[
        Mistake(
            "order counts",
            "you compare place by place; a true row counts wherever it stands in the line.",
            like=lambda found, true: np.mean(found == true),
        ),
        Mistake(
            "lines mixed",
            "you look for a query's true rows among the rows that other queries found.",
            like=lambda found, true: np.mean(np.isin(true, found)),
        ),
        Mistake(
            "any will do",
            "you count queries that found at least one of their true rows; count the rows.",
            like=lambda found, true: np.mean([n > 0 for n in _shared(found, true)]),
        ),
        Mistake(
            "all or nothing",
            "you count queries that found all of their true rows; count the rows.",
            like=lambda found, true: np.mean([n == true.shape[1] for n in _shared(found, true)]),
        ),
        Mistake(
            "a count",
            "you return a number of rows; divide by how many true rows a query has.",
            when=lambda answer, right, found, true: np.isclose(
                answer, [right * true.shape[1], right * true.size]
            ).any(),
        ),
        Mistake(
            "divided by the union",
            "you divide by all rows that are found or true; divide by the true ones.",
            like=lambda found, true: np.mean(
                [n / (2 * true.shape[1] - n) for n in _shared(found, true)]
            ),
        ),
    ],
)

# --- 4.3: which lists to visit -------------------------------------------------------------------


def _lists_probes():
    centres = np.array([[0.5, 0.1], [0.9, 0.8], [-0.8, 0.0], [0.3, 0.0], [0.0, -0.6]])
    return [
        ((np.array([0.6, 0.0]), centres, 2), np.array([0, 3])),
        ((np.array([0.0, -1.0]), centres, 3), np.array([4, 3, 0])),
        ((np.array([0.1, 0.1]), centres, 1), np.array([3])),
    ]


def _distances(q, centres):
    return np.sqrt(((centres - q) ** 2).sum(axis=1))


check_lists = Check(
    _lists_probes,
    right="A long centre may have the larger inner product and still lie farther away.",
    mistakes=[
        Mistake(
            "inner product",
            "you take the largest inner products, which favour long centres; take distances.",
            like=lambda q, centres, n: np.argsort(-(centres @ q), kind="stable")[:n],
        ),
        Mistake(
            "cosine",
            "you compare directions only; Euclidean distance also depends on the lengths.",
            like=lambda q, centres, n: np.argsort(
                -(centres @ q) / np.linalg.norm(centres, axis=1), kind="stable"
            )[:n],
        ),
        Mistake(
            "farthest",
            "these are the farthest centres; the smallest distances come first.",
            like=lambda q, centres, n: np.argsort(-_distances(q, centres), kind="stable")[:n],
        ),
        Mistake(
            "distances",
            "you return distances; return the numbers of the centres.",
            when=lambda answer, right, q, centres, n: (
                np.allclose(answer, np.sort(_distances(q, centres))[:n])
                or np.allclose(answer, np.sort(_distances(q, centres) ** 2)[:n])
            ),
        ),
        Mistake(
            "other order",
            "these are the right centres, but not with the nearest first.",
            when=lambda answer, right, q, centres, n: np.array_equal(
                np.sort(answer), np.sort(right)
            ),
        ),
    ],
)

# --- 4.4: scores from tables ---------------------------------------------------------------------


def _table_probes():
    table = np.array([[0.1, 0.2, 0.4], [1.0, -2.0, 3.0]])
    codes = np.array([[0, 0], [2, 1], [1, 2], [2, 2]])
    square = np.array([[0.5, 0.7], [0.1, 0.3]])
    return [
        ((table, codes), np.array([1.1, -1.6, 3.2, 3.4])),
        ((square, np.array([[0, 1], [1, 0]])), np.array([0.8, 0.8])),
        ((square, np.array([[1, 1]])), np.array([1.0])),
    ]


check_table = Check(
    _table_probes,
    right="One look-up and one addition a piece: that is the whole score.",
    mistakes=[
        Mistake(
            "the mean",
            "you average over the pieces; an inner product is the sum over its pieces.",
            like=lambda table, codes: table[np.arange(len(table)), codes].mean(axis=1),
        ),
        Mistake(
            "the best piece",
            "you keep only the best piece of each item; add all pieces.",
            like=lambda table, codes: table[np.arange(len(table)), codes].max(axis=1),
        ),
        Mistake(
            "one table for all",
            "you look all pieces up in the first piece's line; each piece has a line of its own.",
            like=lambda table, codes: table[0, codes].sum(axis=1),
        ),
        Mistake(
            "summed over items",
            "you add up over the items; add up over the pieces of each item.",
            like=lambda table, codes: table[np.arange(len(table)), codes].sum(axis=0),
        ),
        Mistake(
            "not added up",
            "you return one number for each piece; add up the pieces of each item.",
            like=lambda table, codes: table[np.arange(len(table)), codes],
        ),
    ],
)

# --- 4.5: predict a recall -----------------------------------------------------------------------


def _law_probes():
    # Exact odds: 4, 2, 1, halved with each tenfold n.
    sizes, recalls = np.array([100, 1000, 10_000]), np.array([4 / 5, 2 / 3, 1 / 2])
    return [
        ((sizes, recalls, 100_000), 1 / 3),
        ((sizes, recalls, 1_000_000), 1 / 5),
        ((np.array([10, 40]), np.array([3 / 4, 3 / 5]), 160), 3 / 7),  # odds 3, 3/2, 3/4
    ]


def _line(x, y, at):
    slope, intercept = np.polyfit(x, y, 1)
    return slope * at + intercept


def _odds(recalls):
    return recalls / (1 - recalls)


check_law = Check(
    _law_probes,
    right="Back from log-odds to a recall, the prediction stays between 0 and 1.",
    mistakes=[
        Mistake(
            "log-odds returned",
            "you return log-odds; turn them back into a recall.",
            like=lambda sizes, r, n: _line(np.log(sizes), np.log(_odds(r)), np.log(n)),
        ),
        Mistake(
            "odds returned",
            "you return odds; a recall is odds divided by one plus odds.",
            like=lambda sizes, r, n: np.exp(_line(np.log(sizes), np.log(_odds(r)), np.log(n))),
        ),
        Mistake(
            "no odds",
            "you fit the recalls themselves, which soon predicts less than 0; fit their log-odds.",
            like=lambda sizes, r, n: _line(np.log(sizes), r, np.log(n)),
        ),
        Mistake(
            "power law of the recall",
            "you fit the logarithm of the recall, not that of its odds.",
            like=lambda sizes, r, n: np.exp(_line(np.log(sizes), np.log(r), np.log(n))),
        ),
        Mistake(
            "n without logarithm",
            "your line runs over n; let it run over the logarithm of n.",
            like=lambda sizes, r, n: 1 / (1 + np.exp(-_line(sizes, np.log(_odds(r)), n))),
        ),
    ],
)

# --- 4.6: how many machines ----------------------------------------------------------------------


def _machines_probes():
    return [
        ((1_000_000_000, 256, 16e9, 50, 120), 48),  # 16 to hold it, three such sets
        ((1_000_000_000, 20, 16e9, 400, 300), 2),
        ((1_000_000, 256, 16e9, 100, 1000), 10),
        ((500_000_000, 64, 8e9, 10, 35), 16),
    ]


def _sets(n, size, memory, rate, wanted):
    return int(np.ceil(n * size / memory)), int(np.ceil(wanted / rate))


check_machines = Check(
    _machines_probes,
    right="Every query asks the whole set, so more queries need more sets.",
    mistakes=[
        Mistake(
            "memory only",
            "you hold the database once; the wanted queries may need several such sets.",
            like=lambda *a: _sets(*a)[0],
        ),
        Mistake(
            "queries only",
            "you count sets; each of them is as many machines as hold the database.",
            like=lambda *a: _sets(*a)[1],
        ),
        Mistake(
            "the larger",
            "you take the larger of two needs; each set must hold everything, so they multiply.",
            like=lambda *a: max(_sets(*a)),
        ),
        Mistake(
            "added",
            "you add two needs; each set must hold everything, so they multiply.",
            like=lambda *a: sum(_sets(*a)),
        ),
        Mistake(
            "rounded once",
            "you round at the end; neither a set nor the sets come in fractions.",
            like=lambda n, size, memory, rate, wanted: int(
                np.ceil(n * size / memory * wanted / rate)
            ),
        ),
        Mistake(
            "rounded down",
            "you round down, and something does not fit; round both up.",
            like=lambda n, size, memory, rate, wanted: int(
                max(1, n * size // memory) * max(1, wanted // rate)
            ),
        ),
    ],
)
