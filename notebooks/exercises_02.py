"""Checks of the exercises of notebook 02."""

import numpy as np

from course import Check, Mistake

# --- 2.1: recall at k from scores, ties against the query ----------------------------------------

_S5 = np.array(
    [
        [0.9, 0.2, 0.1, 0.4, 0.3],
        [0.6, 0.5, 0.2, 0.1, 0.3],
        [0.1, 0.2, 0.7, 0.3, 0.7],
        [0.5, 0.8, 0.6, 0.4, 0.3],
        [0.2, 0.4, 0.9, 0.1, 0.4],
    ]
)  # by hand: ranks 1, 2, 2, 4, 3; ties in favour give 1, 2, 1, 4, 2; columns 1, 3, 2, 2, 3


def _recall_probes():
    return [
        ((_S5.copy(), 1), 1 / 5),
        ((_S5.copy(), 2), 3 / 5),
        ((_S5.copy(), 3), 4 / 5),
        ((np.zeros((3, 3)), 1), 0.0),
    ]


def _ranks(S):
    return (S >= np.diag(S)[:, None]).sum(axis=1)


check_recall = Check(
    _recall_probes,
    right="Ties count against the query, so a constant scorer earns nothing.",
    mistakes=[
        Mistake(
            "ties in favour",
            "an item that scores the same as the true one must stand before it; "
            "your function gives ties to the query.",
            like=lambda S, k: np.mean((S > np.diag(S)[:, None]).sum(axis=1) < k),
        ),
        Mistake(
            "rank counted from 0",
            "a rank counts from 1, and a rank of k itself is still among the first k; "
            "you are one place too strict.",
            like=lambda S, k: np.mean(_ranks(S) < k),
        ),
        Mistake(
            "one place too generous",
            "the true item is one of those that score at least as much as itself; "
            "you leave it out of the count, and so look one place too far.",
            like=lambda S, k: np.mean(_ranks(S) <= k + 1),
        ),
        Mistake(
            "a count",
            "you return how many queries hit; recall is a share of all queries.",
            like=lambda S, k: np.sum(_ranks(S) <= k),
        ),
        Mistake(
            "columns as queries",
            "queries are the rows of S; you compare each true score with its column.",
            like=lambda S, k: np.mean(_ranks(S.T) <= k),
        ),
    ],
)

# --- 2.2: mean reciprocal rank -------------------------------------------------------------------


def _mrr_probes():
    return [
        ((np.array([1, 2, 4]),), 7 / 12),
        ((np.array([1, 1, 1, 1]),), 1.0),
        ((np.array([5, 10]),), 0.15),
    ]


check_mrr = Check(
    _mrr_probes,
    right="First place earns 1, second a half, third a third.",
    mistakes=[
        Mistake(
            "reciprocal of the mean",
            "take the reciprocal of each rank first and average then; "
            "you take the reciprocal of the average.",
            like=lambda ranks: 1 / np.mean(ranks),
        ),
        Mistake(
            "mean rank",
            "you return the average rank; its reciprocals are wanted.",
            like=lambda ranks: np.mean(ranks),
        ),
        Mistake(
            "ranks taken as from 0",
            "ranks count from 1 here, so nothing needs to be added to them.",
            like=lambda ranks: np.mean(1 / (ranks + 1)),
        ),
        Mistake(
            "a sum",
            "you add up the reciprocals; divide by the number of queries.",
            like=lambda ranks: np.sum(1 / ranks),
        ),
        Mistake(
            "median",
            "you return the median of the reciprocals; the mean is wanted.",
            like=lambda ranks: np.median(1 / ranks),
        ),
    ],
)

# --- 2.3: cosine similarity of vectors that are not of unit length -------------------------------


def _cosine_probes():
    X = np.array([[3.0, 4.0], [0.0, 2.0], [-5.0, 0.0]])
    Y = np.array([[1.0, 0.0], [8.0, 6.0], [0.0, -0.5]])
    return [
        ((X, Y), np.array([[0.6, 0.96, -0.8], [0.0, 0.6, -1.0], [-1.0, -0.8, 0.0]])),
        ((X, Y[:2]), np.array([[0.6, 0.96], [0.0, 0.6], [-1.0, -0.8]])),
    ]


def _unit(X, axis=1):
    return X / np.linalg.norm(X, axis=axis, keepdims=True)


check_cosine = Check(
    _cosine_probes,
    right="Rows of length 1 on both sides make an inner product a cosine.",
    mistakes=[
        Mistake(
            "not normalised",
            "these are inner products; a long vector wins them whatever its direction. "
            "Bring the rows to length 1.",
            like=lambda X, Y: X @ Y.T,
        ),
        Mistake(
            "only the photos normalised",
            "the rows of Y keep their lengths; bring both sides to length 1.",
            like=lambda X, Y: _unit(X) @ Y.T,
        ),
        Mistake(
            "only the texts normalised",
            "the rows of X keep their lengths; bring both sides to length 1.",
            like=lambda X, Y: X @ _unit(Y).T,
        ),
        Mistake(
            "transposed",
            "row i must belong to row i of X and column j to row j of Y; yours is the other way.",
            when=lambda answer, right, X, Y: np.allclose(answer, right.T),
        ),
        Mistake(
            "columns normalised",
            "you bring columns to length 1; an item is a row, so use axis=1 and keepdims=True.",
            like=lambda X, Y: _unit(X, 0) @ _unit(Y, 0).T,
        ),
        Mistake(
            "squared lengths",
            "you divide by the squared length; take the root.",
            like=lambda X, Y: (
                (X / np.square(X).sum(axis=1, keepdims=True))
                @ (Y / np.square(Y).sum(axis=1, keepdims=True)).T
            ),
        ),
    ],
)

# --- 2.4: ranks when several items have the same text ------------------------------------------

_D = np.array(
    [
        [0.5, 0.9, 0.7, 0.6],
        [0.6, 0.3, 0.8, 0.6],
        [0.4, 0.45, 0.6, 0.8],
        [0.3, 0.8, 0.9, 0.8],
    ]
)
_D_TEXTS = ["red mug", "hat", "red mug", "blue mug"]


def _duplicate_probes():
    # Query 0 has items 0 and 2: best 0.7, above it item 1. Query 1: own 0.3, three above.
    # Query 2: items 0 and 2, best 0.6, above it item 3. Query 3: own 0.8, ties 1, above 2.
    return [
        ((_D.copy(), list(_D_TEXTS)), np.array([2, 4, 2, 3])),
        ((_D.copy(), ["a", "b", "c", "d"]), np.array([4, 4, 2, 3])),
        ((np.zeros((3, 3)), ["a", "a", "b"]), np.array([2, 2, 3])),
        ((np.array([[0.5, 0.7], [0.9, 0.1]]), ["a", "a"]), np.array([1, 1])),
    ]


def _duplicate_ranks(S, texts, reduce=np.max, strict=False, count_right=False, start=1):
    texts, answer = np.array(texts), []
    for row, text in zip(S, texts, strict=True):
        right = texts == text
        best = reduce(row[right])
        before = (row > best) if strict else (row >= best)
        answer.append(start + np.sum(before if count_right else before & ~right))
    return np.array(answer)


check_duplicates = Check(
    _duplicate_probes,
    right="Any item with the right text is a hit, and such items never push each other back.",
    mistakes=[
        Mistake(
            "own row only",
            "only the item on the diagonal counts for you; "
            "any item with the query's own text is right.",
            like=lambda S, texts: (S >= np.diag(S)[:, None]).sum(axis=1),
        ),
        Mistake(
            "right items stand in the way",
            "right items are counted among those before the best right item; "
            "count the wrong ones only.",
            like=lambda S, texts: _duplicate_ranks(S, texts, count_right=True),
        ),
        Mistake(
            "ties in favour",
            "a wrong item with the same score must stand before the right one.",
            like=lambda S, texts: _duplicate_ranks(S, texts, strict=True),
        ),
        Mistake(
            "worst duplicate",
            "you rank the worst of the right items; the shopper is content with the best.",
            like=lambda S, texts: _duplicate_ranks(S, texts, reduce=np.min),
        ),
        Mistake(
            "mean of the duplicates",
            "you average the scores of the right items; the best of them decides.",
            like=lambda S, texts: _duplicate_ranks(S, texts, reduce=np.mean),
        ),
        Mistake(
            "rank counted from 0",
            "a rank counts from 1: nothing before it makes 1.",
            like=lambda S, texts: _duplicate_ranks(S, texts, start=0),
        ),
    ],
)

# --- 2.5: cross-domain similarity local scaling --------------------------------------------------


def _csls_probes():
    S = np.array([[0.8, 0.6, 0.1], [0.5, 0.9, 0.7]])
    Q = np.array([[0.2, 0.6, 0.4, 0.1], [0.9, 0.3, 0.1, 0.5]])
    T = np.array([[0.1, 0.2, 0.3, 0.0], [0.8, 0.7, 0.9, 0.2], [0.4, 0.0, 0.1, 0.2]])
    # k = 2: means 0.5 and 0.7 for the queries, 0.25, 0.85 and 0.3 for the items.
    with_two = [[0.85, -0.15, -0.6], [0.05, 0.25, 0.4]]
    # k = 1: 0.6 and 0.9 for the queries, 0.3, 0.9 and 0.4 for the items.
    with_one = [[0.7, -0.3, -0.8], [-0.2, 0.0, 0.1]]
    return [((S, Q, T, 2), np.array(with_two)), ((S, Q, T, 1), np.array(with_one))]


def _nearest(B, k):
    return np.sort(B, axis=1)[:, -k:].mean(axis=1)


check_csls = Check(
    _csls_probes,
    right="Each score now says how much closer the two are than either is to its usual company.",
    mistakes=[
        Mistake(
            "the whole bank",
            "you average over the whole bank; only the k largest scores of each row count.",
            like=lambda S, Q, T, k: 2 * S - Q.mean(axis=1)[:, None] - T.mean(axis=1),
        ),
        Mistake(
            "the k smallest",
            "you average the k smallest scores; the nearest in the bank have the largest.",
            like=lambda S, Q, T, k: (
                2 * S - np.sort(Q)[:, :k].mean(axis=1)[:, None] - np.sort(T)[:, :k].mean(axis=1)
            ),
        ),
        Mistake(
            "added",
            "you add the corrections; a hub's closeness to everything must be taken off.",
            like=lambda S, Q, T, k: 2 * S + _nearest(Q, k)[:, None] + _nearest(T, k),
        ),
        Mistake(
            "scores not doubled",
            "two corrections are taken off, so the score must count twice.",
            like=lambda S, Q, T, k: S - _nearest(Q, k)[:, None] - _nearest(T, k),
        ),
        Mistake(
            "items forgotten",
            "you correct for the queries only, which changes no ranking; take off the items' too.",
            like=lambda S, Q, T, k: 2 * S - _nearest(Q, k)[:, None],
        ),
        Mistake(
            "queries forgotten",
            "you correct for the items only; the queries' correction is missing.",
            like=lambda S, Q, T, k: 2 * S - _nearest(T, k),
        ),
        Mistake(
            "k-th instead of mean",
            "you take off the k-th largest score; the mean of the k largest is wanted.",
            like=lambda S, Q, T, k: 2 * S - np.sort(Q)[:, [-k]] - np.sort(T)[:, -k],
        ),
    ],
)

# --- 2.6: a threshold for a wanted coverage ------------------------------------------------------


def _threshold_probes():
    return [
        ((np.array([0.9, 0.05, 0.5, 0.8, 0.3]), 0.6), 0.5),
        ((np.array([0.9, 0.05, 0.5, 0.8, 0.3]), 0.5), 0.5),
        ((np.array([0.4, 0.2, 0.8, 0.6]), 0.25), 0.8),
        ((np.array([0.4, 0.2, 0.8, 0.6]), 1.0), 0.2),
    ]


def _answered(coverage, n):
    return int(np.ceil(coverage * n - 1e-9))


check_threshold = Check(
    _threshold_probes,
    right="At least the wanted share is answered, and no higher threshold would do.",
    mistakes=[
        Mistake(
            "share refused",
            "at your threshold the wanted share is refused instead of answered; "
            "the threshold must stand at the other end.",
            like=lambda top, coverage: np.sort(top)[
                min(_answered(coverage, len(top)), len(top)) - 1
            ],
        ),
        Mistake(
            "one query too few",
            "your threshold answers one query too few; count whether it is >= or >.",
            like=lambda top, coverage: np.sort(top)[::-1][
                max(_answered(coverage, len(top)) - 2, 0)
            ],
        ),
        Mistake(
            "rounded down",
            "you round the number of answered queries down, and at times answer fewer than asked.",
            like=lambda top, coverage: np.sort(top)[::-1][int(coverage * len(top) + 1e-9) - 1],
        ),
        Mistake(
            "interpolated",
            "your threshold lies between two scores, and a higher one would still do; "
            "return one of the scores.",
            like=lambda top, coverage: np.quantile(top, 1 - coverage),
        ),
        Mistake(
            "a share of the range",
            "you divide the range of the scores, not the queries; sort the scores and count.",
            like=lambda top, coverage: top.max() - coverage * (top.max() - top.min()),
        ),
    ],
)
