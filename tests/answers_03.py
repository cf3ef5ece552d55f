"""The exercises of a notebook: their checks, and mistakes with part of the hint each must get."""

import numpy as np
from sklearn.decomposition import PCA

import exercises_03

CHECKS = {
    "3.1": ("share_of_variance", exercises_03.check_variance),
    "3.2": ("distance_ratio", exercises_03.check_ratio),
    "3.3": ("neighbours_kept", exercises_03.check_overlap),
    "3.4": ("close_gap", exercises_03.check_gap),
    "3.5": ("uniformity_of", exercises_03.check_uniformity),
    "3.6": ("move", exercises_03.check_move),
}


# --- what readers write, told apart: spelled independently of the checks -----------------------


def variance_by_pca(X, k):
    return PCA(k).fit(X).explained_variance_ratio_.sum()


def variance_uncentred(X, k):
    values = np.sort(np.linalg.eigvalsh(X.T @ X))[::-1]
    return values[:k].sum() / values.sum()


def variance_of_roots(X, k):
    roots = np.sqrt(np.sort(np.linalg.eigvalsh(np.cov(X.T)))[::-1])
    return roots[:k].sum() / roots.sum()


def ratio_by_loop(A, B, *, power=1, diagonal=False, partner=None):
    own, other = [], []
    for i, a in enumerate(A):
        own.append(np.sqrt(np.sum((a - B[i]) ** 2)) ** power)
        for j, b in enumerate(B if partner is None else partner(A)):
            if diagonal or i != j:
                other.append(np.sqrt(np.sum((a - b) ** 2)) ** power)
    return np.mean(own), np.mean(other)


def ratio(A, B, **options):
    own, other = ratio_by_loop(A, B, **options)
    return own / other


def overlap_by_loop(X, P, k, *, itself=False, score=None):
    near = []
    for Z in (X, P):
        order = [
            sorted((np.sum((z - y) ** 2), j) for j, y in enumerate(Z) if itself or j != i)
            for i, z in enumerate(Z)
        ]
        near.append([[j for _, j in row[:k]] for row in order])
    score = score or (lambda a, b: len(set(a) & set(b)) / k)
    return float(np.mean([score(a, b) for a, b in zip(*near, strict=True)]))


def gap_by_loop(A, B, *, means=None, length=True):
    means = (np.mean(A, axis=0), np.mean(B, axis=0)) if means is None else means(A, B)
    moved = [[row - mean for row in E] for E, mean in zip((A, B), means, strict=True)]
    if length:
        moved = [[row / np.sqrt(row @ row) for row in E] for E in moved]
    return tuple(np.array(E) for E in moved)


def gap_by_columns(A, B):
    A, B = A - A.mean(axis=0), B - B.mean(axis=0)
    return A / np.sqrt((A**2).sum(axis=0)), B / np.sqrt((B**2).sum(axis=0))


def gap_by_rows(A, B):
    return gap_by_loop(*((E.T - E.mean(axis=1)).T for E in (A, B)), means=lambda A, B: (0, 0))


def uniformity_by_loop(E, *, power=2, factor=2, itself=False):
    return [
        np.exp(-factor * np.sqrt(np.sum((a - b) ** 2)) ** power)
        for i, a in enumerate(E)
        for j, b in enumerate(E)
        if itself or i < j
    ]


def move_by_loop(photo, E, labels, to, start, s, *, reduce=np.mean, length=True, sign=1, minus=1):
    wanted = reduce([e for e, name in zip(E, labels, strict=True) if name == to], axis=0)
    present = reduce([e for e, name in zip(E, labels, strict=True) if name == start], axis=0)
    moved = photo + sign * s * (wanted - minus * present)
    return moved / np.sqrt(moved @ moved) if length else moved


def move_against_others(photo, E, labels, to, start, s):
    moved = photo + s * (E[labels == to].mean(axis=0) - E[labels != to].mean(axis=0))
    return moved / np.sqrt(moved @ moved)


RIGHT = [
    ("3.1", variance_by_pca),
    ("3.2", ratio),
    ("3.3", overlap_by_loop),
    ("3.4", gap_by_loop),
    ("3.5", lambda E: np.log(np.mean(uniformity_by_loop(E)))),
    ("3.6", move_by_loop),
]


WRONG = [
    ("3.1", variance_uncentred, "take the mean off"),
    ("3.1", variance_of_roots, "a variance is their square"),
    ("3.1", lambda X, k: PCA(k).fit(X).explained_variance_ratio_[-1], "component k alone"),
    ("3.1", lambda X, k: PCA(k).fit(X).explained_variance_.sum() * (len(X) - 1), "divide by the"),
    ("3.1", lambda X, k: 1 - variance_by_pca(X, k), "the other components"),
    ("3.2", lambda A, B: 1 / ratio(A, B), "the other way round"),
    ("3.2", lambda A, B: ratio(A, B, diagonal=True), "must leave out the true pairs"),
    ("3.2", lambda A, B: ratio(A, B, power=2), "take the root"),
    ("3.2", lambda A, B: ratio(A, B, partner=lambda A: A), "photos with photos"),
    ("3.2", lambda A, B: np.subtract(*ratio_by_loop(A, B)), "you subtract"),
    ("3.3", lambda *a: overlap_by_loop(*a, itself=True), "its own nearest"),
    (
        "3.3",
        lambda *a: overlap_by_loop(*a, score=lambda x, y: np.mean(np.equal(x, y))),
        "place by",
    ),
    ("3.3", lambda *a: overlap_by_loop(*a, score=lambda x, y: len({*x} & {*y})), "divide by k"),
    ("3.3", lambda *a: overlap_by_loop(*a, score=lambda x, y: {*x} == {*y}), "counts in part"),
    (
        "3.3",
        lambda *a: overlap_by_loop(*a, score=lambda x, y: len({*x} & {*y}) / len({*x} | {*y})),
        "size of the union",
    ),
    (
        "3.4",
        lambda A, B: gap_by_loop(A, B, means=lambda A, B: [np.vstack([A, B]).mean(0)] * 2),
        "stays",
    ),
    ("3.4", lambda A, B: gap_by_loop(A, B, length=False), "no longer have length 1"),
    ("3.4", gap_by_rows, "mean of each row"),
    (
        "3.4",
        lambda A, B: gap_by_loop(A, B, means=lambda A, B: (B.mean(0), A.mean(0))),
        "other one",
    ),
    ("3.4", gap_by_columns, "use axis=1"),
    ("3.5", lambda E: np.log(np.mean(uniformity_by_loop(E, itself=True))), "leave the diagonal"),
    ("3.5", lambda E: np.log(np.mean(uniformity_by_loop(E, power=1))), "to be squared"),
    ("3.5", lambda E: np.mean(np.log(uniformity_by_loop(E))), "you average first"),
    ("3.5", lambda E: np.mean(uniformity_by_loop(E)), "take its logarithm"),
    ("3.5", lambda E: np.log(np.mean(uniformity_by_loop(E, factor=1))), "has a factor 2"),
    ("3.6", lambda *a: move_by_loop(*a, sign=-1), "the wrong way"),
    ("3.6", lambda *a: move_by_loop(*a, length=False), "left the sphere"),
    ("3.6", lambda *a: move_by_loop(*a, reduce=np.sum), "the mean of each"),
    ("3.6", lambda *a: move_by_loop(*a, minus=0), "taken off as well"),
    ("3.6", move_against_others, "with all others"),
]
