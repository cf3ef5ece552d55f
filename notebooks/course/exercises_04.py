"""The checks of notebook 04's exercises, and the wrong answers that they know."""

import numpy as np

from course import Check, Mistake

# --- 4.1: the cheapest setting -------------------------------------------------------------------


def _cheapest_probes():
    recalls = np.array([0.90, 0.97, 0.99, 0.95, 0.96])
    works = np.array([500, 4000, 9000, 2000, 2500])
    return [
        ((recalls, works, 0.95), 3),
        ((recalls, works, 0.96), 4),
        ((recalls, works, 0.999), -1),
        ((np.array([0.8, 0.9, 0.9]), np.array([300, 200, 200]), 0.7), 1),
    ]


def _pick(recalls, works, good, key):
    places = np.flatnonzero(good)
    return int(min(places, key=lambda i: key[i])) if len(places) else -1


check_cheapest = Check(
    _cheapest_probes,
    right="First what reaches the target, then the least work among it.",
    mistakes=[
        Mistake(
            "the first that reaches it",
            "you take the first setting that reaches the target; another may cost less.",
            like=lambda r, w, t: _pick(r, w, r >= t, np.arange(len(r))),
        ),
        Mistake(
            "the best recall",
            "you take the highest recall; what reaches the target with less work is enough.",
            like=lambda r, w, t: _pick(r, w, r >= t, -r),
        ),
        Mistake(
            "the target not asked",
            "you take the least work of all; it must reach the target, too.",
            like=lambda r, w, t: int(np.argmin(w)),
        ),
        Mistake(
            "strictly above",
            "a recall equal to the target reaches it, too.",
            like=lambda r, w, t: _pick(r, w, r > t, w),
        ),
        Mistake(
            "nothing reaches it",
            "where no setting reaches the target, return -1.",
            when=lambda answer, right, r, w, t: right == -1,
        ),
    ],
)

# --- 4.2: a step for each column -----------------------------------------------------------------


def _columns_probes():
    low, high = np.array([-1.0, 0.0, 10.0]), np.array([1.0, 0.5, 20.0])
    X = np.array([[-1.0, 0.5, 15.1], [0.3, 0.2, 12.0], [1.5, -0.1, 9.0], [0.0, 0.101, 20.0]])
    return [
        (
            (X, low, high),
            np.array([[0, 255, 130], [166, 102, 51], [255, 0, 0], [128, 52, 255]], np.uint8),
        ),
        ((np.array([[0.5, 0.4]]), np.array([0.0, 0.4]), np.array([4.0, 0.8])), _u8([[32, 0]])),
    ]


def _u8(codes):
    return np.array(codes).astype(np.uint8)


def _scaled(X, low, high):
    return 255 * (X - low) / (high - low)


check_columns = Check(
    _columns_probes,
    right="Each column uses all of its 256 codes, and strangers get the nearest one.",
    same=lambda answer, right: (
        np.asarray(answer).dtype == np.uint8 and np.array_equal(answer, right)
    ),
    mistakes=[
        Mistake(
            "no clipping",
            "rows outside of the range wrap around, 256 becomes 0; clip before you convert.",
            like=lambda X, low, high: np.round(_scaled(X, low, high)).astype(int).astype(np.uint8),
        ),
        Mistake(
            "cut off",
            "converting to whole numbers cuts the fraction off; round first.",
            like=lambda X, low, high: np.clip(_scaled(X, low, high), 0, 255).astype(np.uint8),
        ),
        Mistake(
            "one scale for all",
            "you use one range for all columns; each column has its own low and high.",
            like=lambda X, low, high: _u8(
                np.round(np.clip(_scaled(X, low.min(), high.max()), 0, 255))
            ),
        ),
        Mistake(
            "256 steps",
            "codes go from 0 to 255, so there are 255 steps between low and high, not 256.",
            like=lambda X, low, high: _u8(
                np.clip(np.round(_scaled(X, low, high) * 256 / 255), 0, 255)
            ),
        ),
        Mistake(
            "low left out",
            "code 0 stands for low, not for 0; subtract low first.",
            like=lambda X, low, high: _u8(np.clip(np.round(255 * X / (high - low)), 0, 255)),
        ),
        Mistake(
            "another kind of number",
            "the codes are right, but not of type np.uint8; then they save no memory.",
            when=lambda answer, right, *a: np.array_equal(np.asarray(answer), right),
        ),
    ],
)

# --- 4.3: one answer from several machines -------------------------------------------------------


def _merge_probes():
    scores = np.array([[0.9, 0.8, 0.1], [0.7, 0.3, 0.2], [0.95, 0.6, 0.5]])
    ids = np.array([[14, 3, 8], [71, 66, 90], [120, 101, 133]])
    return [
        ((scores, ids, 3), np.array([120, 14, 3])),
        ((scores, ids, 5), np.array([120, 14, 3, 71, 101])),
        (
            (np.array([[-0.5, -0.6], [-0.1, -0.2]]), np.array([[4, 2], [7, 9]]), 2),
            np.array([7, 9]),
        ),
    ]


def _by_place(scores, ids, k):
    return ids.T.ravel()[:k]


check_merge = Check(
    _merge_probes,
    right="The best of all are among the best of each, so the machines need not talk.",
    mistakes=[
        Mistake(
            "one machine",
            "you take the answers of one machine; the others may hold better ones.",
            like=lambda scores, ids, k: ids.ravel()[:k],
        ),
        Mistake(
            "by turns",
            "you take each machine's first, then each one's second; compare the scores.",
            like=_by_place,
        ),
        Mistake(
            "worst first",
            "you sort upwards; the best has the highest score.",
            like=lambda scores, ids, k: ids.ravel()[np.argsort(scores.ravel())[:k]],
        ),
        Mistake(
            "places",
            "you return places in the flattened array; return the ids that stand there.",
            like=lambda scores, ids, k: np.argsort(-scores.ravel())[:k],
        ),
        Mistake(
            "not sorted",
            "these are the right ids in another order; return the best first.",
            when=lambda answer, right, *a: np.array_equal(np.sort(answer), np.sort(right)),
        ),
    ],
)

# --- 4.4: bits that differ -----------------------------------------------------------------------


def _bits_probes():
    q = np.array([0b10110000, 0b00001111], dtype=np.uint8)
    codes = np.array(
        [
            [0b10110000, 0b00001111],
            [0b00110000, 0b00001111],
            [0b01001111, 0b11110000],
            [0b10110011, 0b00000111],
        ],
        dtype=np.uint8,
    )
    return [
        ((q, codes), np.array([0, 1, 16, 3])),
        ((np.array([0], dtype=np.uint8), np.array([[255], [129], [3]], np.uint8)), [8, 2, 2]),
    ]


def _bits(a):
    return np.unpackbits(np.asarray(a, dtype=np.uint8), axis=-1).astype(int)


check_bits = Check(
    _bits_probes,
    right="One instruction of a processor compares 64 such bits at once.",
    mistakes=[
        Mistake(
            "bytes",
            "you count bytes that differ; one byte may differ in up to eight bits.",
            like=lambda q, codes: (q != codes).sum(axis=1),
        ),
        Mistake(
            "bits that agree",
            "you count the bits that agree.",
            like=lambda q, codes: (_bits(q) == _bits(codes)).sum(axis=1),
        ),
        Mistake(
            "bits set in both",
            "you count bits that are 1 in both (&); a bit differs where just one is 1 (^).",
            like=lambda q, codes: _bits(q & codes).sum(axis=1),
        ),
        Mistake(
            "numbers",
            "you add up bytes as numbers; unpack them into bits, then add.",
            like=lambda q, codes: (q ^ codes).sum(axis=1),
        ),
        Mistake(
            "all rows in one",
            "you return one number for all rows; keep the rows apart with axis=1.",
            when=lambda answer, right, q, codes: np.ndim(answer) == 0,
        ),
    ],
)
