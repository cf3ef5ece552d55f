"""Checks for the exercises of notebook 01. Call one with your function; it prints one line."""

import numpy as np

from . import Check, Mistake


def _fits(wrong):
    """Return a test of whether an answer is what ``wrong(*arguments)`` returns."""
    return lambda answer, right, *arguments: (
        np.shape(answer) == np.shape(wrong(*arguments)) and np.allclose(answer, wrong(*arguments))
    )


# --- 1.1 colours --------------------------------------------------------------------------------


def _colour_probes():
    flag = np.zeros((2, 4, 3), dtype=np.uint8)
    flag[0] = (255, 255, 255)  # white above, and below: red, red, blue, nearly black
    flag[1] = [(255, 0, 0), (200, 60, 127), (0, 0, 255), (127, 127, 127)]
    right = np.zeros(8)
    right[[7, 4, 1, 0]] = 0.5, 0.25, 0.125, 0.125
    green = np.zeros((1, 3, 3), dtype=np.uint8)
    green[0, 1:] = (10, 255, 0)
    second = np.zeros(8)
    second[[0, 2]] = 1 / 3, 2 / 3
    return [((flag,), right), ((green,), second)]


def _bright(photo, weights=(4, 2, 1)):
    return (photo >= 128).reshape(-1, 3) @ np.array(weights)


check_colours = Check(
    _colour_probes,
    right="Eight numbers, and the product may stand anywhere in the photo.",
    mistakes=[
        Mistake(
            "counts",
            "these are counts; divide by the number of pixels, so photos of any size compare.",
            like=lambda photo: np.bincount(_bright(photo), minlength=8),
        ),
        Mistake(
            "blue first",
            "red should count 4 and blue 1; yours has them the other way round.",
            like=lambda photo: (
                np.bincount(_bright(photo, (1, 2, 4)), minlength=8) / photo[..., 0].size
            ),
        ),
        Mistake(
            "no minlength",
            "colours that do not occur need their 0; np.bincount takes minlength=8.",
            like=lambda photo: np.bincount(_bright(photo)) / photo[..., 0].size,
        ),
        Mistake(
            "divided by all numbers",
            "divide by the number of pixels; a pixel holds three numbers.",
            like=lambda photo: np.bincount(_bright(photo), minlength=8) / photo.size,
        ),
    ],
)


# --- 1.2 letters --------------------------------------------------------------------------------


def _letter_probes():
    return [
        (("mug", 3), ["<mu", "mug", "ug>"]),
        (("hat", 2), ["<h", "ha", "at", "t>"]),
        (("sandal", 4), ["<san", "sand", "anda", "ndal", "dal>"]),
        (("red mug", 3), ["<re", "red", "ed>", "<mu", "mug", "ug>"]),
    ]


def _runs(text, n):
    return [text[i : i + n] for i in range(len(text) - n + 1)]


check_letters = Check(
    _letter_probes,
    right="A word never met before shares most of its runs with words that were.",
    mistakes=[
        Mistake(
            "no ends",
            "mark both ends of a word first: <mug>.",
            like=lambda text, n: [run for word in text.split() for run in _runs(word, n)],
        ),
        Mistake(
            "across words",
            "a run should stay within its word; split the text at spaces first.",
            like=lambda text, n: _runs(f"<{text}>", n),
        ),
        Mistake(
            "the last run is missing",
            "the last run is missing; a word of m signs has m - n + 1 runs.",
            like=lambda text, n: [
                run for word in text.split() for run in _runs(f"<{word}>", n)[:-1]
            ],
        ),
        Mistake(
            "runs do not overlap",
            "the runs should overlap: each begins one sign after the last.",
            like=lambda text, n: [
                f"<{word}>"[i : i + n]
                for word in text.split()
                for i in range(0, len(word) + 2 - n + 1, n)
            ],
        ),
    ],
)


# --- 1.3 one gradient step ----------------------------------------------------------------------


def _step_probes():
    X = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0], [2.0, -1.0]])
    Y = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0], [3.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    W = np.array([[0.5, -1.0, 0.0], [1.0, 0.0, 2.0]])
    probes = []
    for rate in (0.1, 0.5):
        right = W.copy()
        for i, j in np.ndindex(W.shape):  # the loss is quadratic: differences are exact
            bump = np.zeros_like(W)
            bump[i, j] = 1.0
            up, low = (np.square(X @ (W + s * bump) - Y).sum() / 4 for s in (1, -1))
            right[i, j] -= rate * (up - low) / 2
        probes.append(((W, X, Y, rate), right))
    return probes


def _step(factor):
    return lambda W, X, Y, rate: W - factor * rate * X.T @ (X @ W - Y) / len(X)


check_step = Check(
    _step_probes,
    right="Only the loss differs from the loop above: the step is the same line.",
    mistakes=[
        Mistake(
            "uphill",
            "this step goes uphill; the gradient points to where the loss grows.",
            like=_step(-2),
        ),
        Mistake(
            "no factor 2",
            "half the step; the derivative of a square brings a factor 2.",
            like=_step(1),
        ),
        Mistake(
            "a sum",
            "your gradient is that of the sum; the loss is the mean over the n pairs.",
            like=lambda W, X, Y, rate: W - 2 * rate * X.T @ (X @ W - Y),
        ),
        Mistake(
            "the gradient only",
            "this is the gradient; return the new weights, W - rate * gradient.",
            when=_fits(lambda W, X, Y, rate: 2 * X.T @ (X @ W - Y) / len(X)),
        ),
    ],
)


# --- 1.4 the gradient through another scaling ---------------------------------------------------


def _share_probes():
    probes = []
    for n, d, seed in ((2, 3, 0), (3, 4, 1)):
        rng = np.random.default_rng(seed)
        z, g = rng.uniform(0.5, 3, size=(n, d)), rng.normal(size=(n, d))
        right = np.zeros_like(z)
        for i, j in np.ndindex(z.shape):
            total = z[i].sum()
            for k in range(d):  # the quotient rule, entry by entry
                right[i, j] += g[i, k] * ((k == j) * total - z[i, k]) / total**2
        probes.append(((z, g), right))
    return probes


def _total(z):
    return z.sum(axis=1, keepdims=True)


check_shares = Check(
    _share_probes,
    right="Making all of z larger changes no share, so the gradient is orthogonal to z.",
    mistakes=[
        Mistake(
            "the total taken as constant",
            "the total depends on z as well; a second term is missing.",
            like=lambda z, g: g / _total(z),
        ),
        Mistake(
            "unit length",
            "that is the gradient through rows of length 1; here each row has the sum 1.",
            when=lambda answer, right, z, g: np.allclose(
                answer,
                (g - _unit(z) * (_unit(z) * g).sum(axis=1, keepdims=True))
                / np.linalg.norm(z, axis=1, keepdims=True),
            ),
        ),
        Mistake(
            "not divided",
            "nearly: divide by the row's total.",
            when=lambda answer, right, z, g: np.allclose(answer / _total(z), right),
        ),
        Mistake(
            "the term along the shares",
            "the second term is the same number in every column: the sum of g times the shares.",
            when=_fits(
                lambda z, g: (
                    (g - z / _total(z) * (z / _total(z) * g).sum(axis=1, keepdims=True))
                    / _total(z)
                )
            ),
        ),
    ],
)


def _unit(z):
    return z / np.linalg.norm(z, axis=1, keepdims=True)


# --- 1.5 early stopping -------------------------------------------------------------------------


def _stopping_probes():
    return [
        (([3.0, 2.0, 1.5, 1.6, 1.7, 1.4, 1.3], 2), (3, 5)),
        (([3.0, 2.0, 1.5, 1.6, 1.7, 1.4, 1.5], 3), (6, 7)),
        (([1.0, 2.0, 3.0, 4.0], 1), (1, 2)),
        (([2.0, 2.0, 2.0, 1.0], 2), (1, 3)),
        (([2.0, 1.0], 5), (2, 2)),
    ]


def _stop(losses, patience, start=1, slack=0, equal=False, last=False):
    best, when, epoch = np.inf, 0, 0
    for epoch, loss in enumerate(losses, start):
        if loss < best or (equal and loss == best):
            best, when = loss, epoch
        if epoch - when >= patience + slack:
            break
    return (epoch if last else when), epoch


check_stopping = Check(
    _stopping_probes,
    right="The weights to keep are those of the best epoch, not those of the last.",
    mistakes=[
        Mistake(
            "the whole curve",
            "you looked at losses that training never reached; stop first, then choose.",
            like=lambda losses, patience: (
                int(np.argmin(losses)) + 1,
                min(int(np.argmin(losses)) + 1 + patience, len(losses)),
            ),
        ),
        Mistake(
            "counted from 0",
            "count epochs from 1.",
            like=lambda losses, patience: _stop(losses, patience, start=0),
        ),
        Mistake(
            "one epoch late",
            "you stop one epoch late: with patience 2, two epochs without a better loss end it.",
            like=lambda losses, patience: _stop(losses, patience, slack=1),
        ),
        Mistake(
            "an equal loss counts as better",
            "a loss that is only as good as the best is no improvement.",
            like=lambda losses, patience: _stop(losses, patience, equal=True),
        ),
        Mistake(
            "the last epoch",
            "return the best epoch first; you return the last one.",
            like=lambda losses, patience: _stop(losses, patience, last=True),
        ),
    ],
)
