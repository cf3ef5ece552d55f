"""Checks for the exercises of notebook 02. Call one with your function; it prints one line."""

import math

import numpy as np

from . import Check, Mistake

# --- 2.1 mean average precision -----------------------------------------------------------------


def _precision_probes():
    S = np.array([[0.2, 0.9, 0.4, 0.6], [0.5, 0.1, 0.3, 0.8]])
    return [
        ((np.array([[0.9, 0.8, 0.7, 0.6, 0.5]]), [0], [0, 1, 0, 1, 0]), (1 + 2 / 3 + 3 / 5) / 3),
        ((np.array([[0.1, 0.9, 0.8, 0.2]]), [5], [5, 1, 2, 5]), (1 / 3 + 2 / 4) / 2),
        ((S, [7, 3], [3, 7, 7, 3]), ((1 + 2 / 3) / 2 + 1) / 2),
    ]


def _precision(S, query_groups, item_groups, *, sign=-1, of=None):
    values = []
    for row, group in zip(S, query_groups, strict=True):
        right = (np.array(item_groups) == group)[np.argsort(sign * row)]
        precision = np.cumsum(right) / np.arange(1, len(row) + 1)
        values.append(np.mean(precision[right]) if of is None else of(precision, right))
    return np.mean(values)


check_precision = Check(
    _precision_probes,
    right="Average precision rewards every right item, and the early ones most.",
    mistakes=[
        Mistake(
            "first only",
            "that is the mean reciprocal rank of the first right item; the others count as well.",
            like=lambda S, q, g: _precision(S, q, g, of=lambda p, right: p[right][0]),
        ),
        Mistake(
            "every place",
            "take the precision at the places of right items only, not at every place.",
            like=lambda S, q, g: _precision(S, q, g, of=lambda p, right: p.mean()),
        ),
        Mistake(
            "divided by all items",
            "divide each query's sum by the number of its right items, not by that of all items.",
            like=lambda S, q, g: _precision(S, q, g, of=lambda p, right: (p * right).mean()),
        ),
        Mistake(
            "smallest first",
            "larger scores are better, and np.argsort puts the smallest first.",
            like=lambda S, q, g: _precision(S, q, g, sign=1),
        ),
        Mistake(
            "hits at 1",
            "that is recall@1: whether the first item is right.",
            like=lambda S, q, g: _precision(S, q, g, of=lambda p, right: p[0]),
        ),
    ],
)


# --- 2.2 a planted leak -------------------------------------------------------------------------


def suspect_photos(train, test):
    """Return 200 test photos, some of which are training photos, as they are or mirrored."""
    rng = np.random.default_rng(22)
    photos = test.images[:200].copy()
    for i, j in enumerate(rng.choice(200, 23, replace=False)):
        photo = train.images[rng.integers(len(train))]
        photos[j] = photo[:, ::-1] if i % 2 else photo
    return photos


def _leak_probes():
    train = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    new = np.random.default_rng(1).integers(0, 256, (6, 4, 4, 3), dtype=np.uint8)
    new[1], new[4] = train[3], train[0][:, ::-1]
    new[2] = train[2][::-1]  # upside down: not what was asked, with the same pixels
    other = np.random.default_rng(2).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    other[2] = train[2]
    return [((train, new), [1, 4]), ((train, other), [2]), ((train[:2], new[:3]), [])]


def _leak(train, test, *, ways, swap=False):
    known = [way(photo).tolist() for photo in train for way in ways]
    rows = [i for i, photo in enumerate(test) if photo.tolist() in known]
    return _leak(test, train, ways=ways) if swap else rows


def _same(photo):
    return photo


def _mirrored(photo):
    return photo[:, ::-1]


def _upside_down(photo):
    return photo[::-1]


def _by_colour(photo):
    return photo.astype(int).sum(axis=(0, 1))


def _is_list(answer, right):
    """Return whether the row numbers agree, as a list, tuple, array or set."""
    if isinstance(answer, set):
        answer = sorted(answer)
    answer = np.asarray(answer)
    return answer.dtype != bool and answer.shape == np.shape(right) and (answer == right).all()


check_leak = Check(
    _leak_probes,
    right="A leak is looked for before a score is believed.",
    same=_is_list,
    mistakes=[
        Mistake(
            "a mask",
            "return the row numbers, np.flatnonzero of your mask, not the mask.",
            when=lambda answer, right, *_: np.asarray(answer).dtype == bool,
        ),
        Mistake(
            "no mirror",
            "some training photos were mirrored left to right; look for those as well.",
            like=lambda train, test: _leak(train, test, ways=[_same]),
        ),
        Mistake(
            "upside down",
            "a photo is (height, width, 3): left and right is its second axis.",
            like=lambda train, test: _leak(train, test, ways=[_same, _upside_down]),
        ),
        Mistake(
            "rows of training",
            "these are rows of the training photos; return those of the test photos.",
            like=lambda train, test: _leak(train, test, ways=[_same, _mirrored], swap=True),
        ),
        Mistake(
            "colours only",
            "two photos may have the same colours and not be the same; compare every pixel.",
            like=lambda train, test: [
                i
                for i, photo in enumerate(test)
                if any((_by_colour(photo) == _by_colour(other)).all() for other in train)
            ],
        ),
    ],
)


# --- 2.3 the sign test --------------------------------------------------------------------------


def _sign_probes():
    def pair(only_a, only_b, both, none):
        a = [1] * only_a + [0] * only_b + [1] * both + [0] * none
        b = [0] * only_a + [1] * only_b + [1] * both + [0] * none
        return np.array(a, dtype=bool), np.array(b, dtype=bool)

    return [
        (pair(8, 2, 4, 1), 2 * (1 + 10 + 45) / 1024),
        (pair(0, 3, 2, 2), 2 / 8),
        (pair(1, 1, 3, 0), 1.0),
        (pair(0, 0, 3, 2), 1.0),
    ]


def _sign(a, b, *, sides=2, cap=1.0, ties=False):
    wins, losses = int((a & ~b).sum()), int((~a & b).sum())
    n, k = (len(a) if ties else wins + losses), min(wins, losses)
    p = sides * sum(math.comb(n, i) for i in range(k + 1)) / 2**n
    return min(cap, p)


check_sign = Check(
    _sign_probes,
    right="Queries that both find, or both miss, say nothing about which is better.",
    mistakes=[
        Mistake(
            "ties counted",
            "leave out the queries where both hit or both miss; they are no tosses of the coin.",
            like=lambda a, b: _sign(a, b, ties=True),
        ),
        Mistake(
            "one-sided",
            "either of the two might have won: count both tails.",
            like=lambda a, b: _sign(a, b, sides=1),
        ),
        Mistake(
            "above 1",
            "twice a tail may pass 1; a probability may not.",
            like=lambda a, b: _sign(a, b, cap=math.inf),
        ),
        Mistake(
            "exactly so many",
            "sum over all splits at least as uneven as the one seen, not that one alone.",
            like=lambda a, b: min(
                1.0,
                2 * math.comb(n := int((a != b).sum()), int((a & ~b).sum())) / 2**n,
            ),
        ),
    ],
)


# --- 2.4 chance with several right --------------------------------------------------------------


def _chance_probes():
    return [
        ((10, 3, 2), 1 - 7 / 10 * 6 / 9),
        ((10, 1, 3), 0.3),
        ((5, 3, 3), 1.0),
        ((6, 2, 3), 1 - 4 / 6 * 3 / 5 * 2 / 4),
    ]


check_chance = Check(
    _chance_probes,
    right="More right answers make every score easier, so chance must be told beside it.",
    mistakes=[
        Mistake(
            "sum",
            "adding up counts a list with two right items twice; ask for the chance of no hit.",
            like=lambda n_items, n_right, k: n_right * k / n_items,
        ),
        Mistake(
            "capped sum",
            "cutting off at 1 does not mend the sum; ask for the chance of no hit.",
            like=lambda n_items, n_right, k: min(1.0, n_right * k / n_items),
        ),
        Mistake(
            "put back",
            "no item stands at two places: after each wrong one there is one fewer to draw.",
            like=lambda n_items, n_right, k: 1 - (1 - n_right / n_items) ** k,
        ),
        Mistake(
            "chance of a miss",
            "that is the chance of no hit; take it from 1.",
            like=lambda n_items, n_right, k: (
                math.comb(n_items - n_right, k) / math.comb(n_items, k)
            ),
        ),
    ],
)
