"""The exercises of a notebook: their checks, and mistakes with part of the hint each must get."""

import statistics

import numpy as np

import exercises_02

CHECKS = {
    "2.1": ("recall_with_ties", exercises_02.check_recall),
    "2.2": ("mean_reciprocal_rank", exercises_02.check_mrr),
    "2.3": ("cosine_scores", exercises_02.check_cosine),
    "2.4": ("ranks_with_duplicates", exercises_02.check_duplicates),
    "2.5": ("corrected_scores", exercises_02.check_csls),
    "2.6": ("threshold_for", exercises_02.check_threshold),
}


# --- what readers write, told apart: spelled independently of the checks -----------------------


def recall_strict(S, k):
    return np.mean([np.sum(row > row[i]) + 1 <= k for i, row in enumerate(S)])


def recall_by_argsort_from_zero(S, k):
    places = [list(np.lexsort((np.arange(len(S)) == i, -row))).index(i) for i, row in enumerate(S)]
    return np.mean([place + 1 < k for place in places])


def recall_too_generous(S, k):
    return np.mean([sum(np.delete(row, i) >= row[i]) <= k for i, row in enumerate(S)])


def recall_count(S, k):
    return int(sum(np.sum(row >= row[i]) <= k for i, row in enumerate(S)))


def recall_of_columns(S, k):
    return np.mean((S >= np.diag(S)).sum(axis=0) <= k)


def cosine_by_loop_transposed(X, Y):
    return np.array([[x @ y / np.sqrt(x @ x * (y @ y)) for x in X] for y in Y])


def cosine_by_columns(X, Y):
    return (X / np.sqrt((X**2).sum(axis=0))) @ (Y / np.sqrt((Y**2).sum(axis=0))).T


def cosine_by_squares(X, Y):
    return np.array([[x @ y / (x @ x * (y @ y)) for y in Y] for x in X])


def duplicates_by_loop(S, texts, *, pick=max, strict=False, skip=True, first=1):
    ranks = []
    for i, row in enumerate(S):
        twins = [j for j, text in enumerate(texts) if text == texts[i]]
        best = pick(row[j] for j in twins)
        ahead = [
            j
            for j, score in enumerate(row)
            if (score > best if strict else score >= best) and not (skip and j in twins)
        ]
        ranks.append(first + len(ahead))
    return ranks


def average(scores):
    scores = list(scores)
    return sum(scores) / len(scores)


def duplicates_own_row(S, texts):
    return [int(np.sum(row >= row[i])) for i, row in enumerate(S)]


def nearest_mean(row, k):
    return np.mean(sorted(row)[-k:])


def csls_by_loop(S, Q, T, k, *, sign=-1, scale=2, near=nearest_mean, sides=(1, 1)):
    off = [[side * near(row, k) for row in Z] for side, Z in zip(sides, (Q, T), strict=True)]
    return [
        [scale * S[i, j] + sign * (off[0][i] + off[1][j]) for j in range(S.shape[1])]
        for i in range(S.shape[0])
    ]


def threshold_refusing(top, coverage):
    return sorted(top)[int(np.ceil(coverage * len(top))) - 1]


def threshold_too_few(top, coverage):
    ranked = sorted(top, reverse=True)
    return ranked[max(n for n in range(len(ranked) + 1) if n <= coverage * len(ranked) + 1e-9) - 1]


def threshold_too_high(top, coverage):
    ranked = sorted(top, reverse=True)
    return next(t for n, t in enumerate(ranked) if n + 2 >= coverage * len(top))


WRONG = [
    ("2.1", recall_strict, "gives ties to the query"),
    ("2.1", recall_by_argsort_from_zero, "one place too strict"),
    ("2.1", recall_too_generous, "one place too far"),
    ("2.1", recall_count, "recall is a share"),
    ("2.1", recall_of_columns, "queries are the rows"),
    ("2.2", lambda ranks: len(ranks) / ranks.sum(), "reciprocal of the average"),
    ("2.2", lambda ranks: ranks.sum() / len(ranks), "you return the average rank"),
    ("2.2", lambda ranks: sum(1 / (r + 1) for r in ranks) / len(ranks), "ranks count from 1"),
    ("2.2", lambda ranks: sum(1 / r for r in ranks), "divide by the number"),
    ("2.2", lambda ranks: statistics.median(1 / r for r in ranks), "the median"),
    ("2.3", np.inner, "a long vector wins"),
    ("2.3", cosine_by_squares, "take the root"),
    ("2.3", lambda X, Y: (X.T / np.sqrt((X**2).sum(1))).T @ Y.T, "the rows of Y keep"),
    ("2.3", lambda X, Y: X @ (Y.T / np.sqrt((Y**2).sum(1))), "the rows of X keep"),
    ("2.3", cosine_by_loop_transposed, "yours is the other way"),
    ("2.3", cosine_by_columns, "use axis=1"),
    ("2.4", lambda S, t: duplicates_by_loop(S, t, pick=average), "you average"),
    ("2.4", duplicates_own_row, "only the item on the diagonal"),
    ("2.4", lambda S, t: duplicates_by_loop(S, t, skip=False), "count the wrong ones only"),
    ("2.4", lambda S, t: duplicates_by_loop(S, t, strict=True), "with the same score"),
    ("2.4", lambda S, t: duplicates_by_loop(S, t, pick=min), "the worst of the right items"),
    ("2.4", lambda S, t: duplicates_by_loop(S, t, first=0), "a rank counts from 1"),
    ("2.5", lambda *a: csls_by_loop(*a, near=lambda row, k: row.mean()), "the whole bank"),
    ("2.5", lambda *a: csls_by_loop(*a, sign=1), "must be taken off"),
    ("2.5", lambda *a: csls_by_loop(*a, scale=1), "the score must count twice"),
    ("2.5", lambda *a: csls_by_loop(*a, near=lambda row, k: sorted(row)[-k]), "the mean of the k"),
    ("2.5", lambda *a: csls_by_loop(*a, near=lambda row, k: sum(sorted(row)[:k]) / k), "smallest"),
    ("2.5", lambda *a: csls_by_loop(*a, sides=(1, 0)), "take off the items' too"),
    ("2.5", lambda *a: csls_by_loop(*a, sides=(0, 1)), "the queries' correction is missing"),
    ("2.6", threshold_too_few, "number of answered queries down"),
    ("2.6", threshold_refusing, "refused instead of answered"),
    ("2.6", threshold_too_high, "one query too few"),
    ("2.6", lambda top, coverage: np.percentile(top, 100 - 100 * coverage), "between two scores"),
    ("2.6", lambda top, c: c * top.min() + (1 - c) * top.max(), "divide the range"),
]
