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


# --- 1.2 whitening that does not turn -----------------------------------------------------------


def _whitening_probes():
    mix = np.array([[2.0, 0.5, 0.0], [0.0, 1.0, 0.3], [0.0, 0.0, 0.5]])
    X = np.random.default_rng(0).normal(size=(12, 3)) @ mix + [1.0, 2.0, 3.0]
    return [
        ((Z, shrinkage), _upright(Z, shrinkage))
        for Z in (X, 3 * X[:, :2])
        for shrinkage in (0.5, 0)
    ]


def _upright(X, shrinkage):
    """Whiten by Denman and Beavers' iteration for the root, which needs no eigenvectors."""
    C = np.cov(X.T, bias=True)
    root = C + shrinkage * np.trace(C) / len(C) * np.eye(len(C))
    inverse = np.eye(len(C))
    for _ in range(60):
        root, inverse = (
            (root + np.linalg.inv(inverse)) / 2,
            (inverse + np.linalg.inv(root)) / 2,
        )
    return (X - X.mean(axis=0)) @ inverse


def _whitened(X, shrinkage, *, power=0.5, back=True, centred=True, scaled=True, less=0):
    Xc = X - X.mean(axis=0)
    values, R = np.linalg.eigh(Xc.T @ Xc / (len(X) - less))
    values = values + shrinkage * (values.mean() if scaled else 1)
    turned = (Xc if centred else X) @ R / values**power
    return turned @ R.T if back else turned


def _with(**options):
    return lambda X, shrinkage: _whitened(X, shrinkage, **options)


def _turned_only(answer, right, X, shrinkage):
    """Tell whether rows are right but for a rotation or mirroring, which keeps inner products."""
    answer = np.asarray(answer)
    return answer.shape == right.shape and np.allclose(answer @ answer.T, right @ right.T)


check_whitening = Check(
    _whitening_probes,
    right="Column 3 is still about column 3. With shrinkage the helper whitens so, too.",
    mistakes=[
        Mistake(
            "not turned back",
            "these rows are whitened, but still turned; multiply by R.T at the end.",
            when=_turned_only,
        ),
        Mistake(
            "not centred", "take the column means off the rows first.", like=_with(centred=False)
        ),
        Mistake(
            "no root",
            "eigenvalues are variances; divide by their roots, the spreads.",
            like=_with(power=1),
        ),
        Mistake(
            "no shrinkage",
            "the shrinkage is missing; add it to the eigenvalues before you take the root.",
            like=lambda X, shrinkage: _whitened(X, 0),
        ),
        Mistake(
            "shrinkage in no unit",
            "the shrinkage counts in units of the mean eigenvalue.",
            like=_with(scaled=False),
        ),
        Mistake(
            "n - 1",
            "nearly: divide by n here, not by n - 1; np.cov takes bias=True.",
            like=_with(less=1),
        ),
    ],
)


# --- 1.3 one gradient step ----------------------------------------------------------------------


def _step_probes():
    X = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0], [2.0, -1.0]])
    Y = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0], [3.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    W, c = np.array([[0.5, -1.0, 0.0], [1.0, 0.0, 2.0]]), np.array([1.0, -2.0, 0.5])
    probes = []
    for alpha, rate in ((0.3, 0.1), (2.0, 0.5)):
        both = np.vstack([W, c])  # c is the weight of a column of ones
        right = both.copy()
        for place in np.ndindex(both.shape):  # the loss is quadratic: differences are exact
            losses = []
            for bump in (1.0, -1.0):
                moved = both.copy()
                moved[place] += bump
                error = X @ moved[:-1] + moved[-1] - Y
                losses.append(np.square(error).sum() / 4 + alpha * np.square(moved[:-1]).sum())
            right[place] -= rate * (losses[0] - losses[1]) / 2
        probes.append(((W, c, X, Y, alpha, rate), (right[:-1], right[-1])))
    return probes


def _step(W, c, X, Y, alpha, rate, *, factor=2, pull=2, pull_c=0, n=None, mean=False):
    by_prediction = factor * (X @ W + c - Y) / (n or len(X))
    by_c = by_prediction.mean(axis=0) if mean else by_prediction.sum(axis=0)
    by_W = X.T @ by_prediction + pull * alpha * W
    return W - rate * by_W, c - rate * (by_c + pull_c * alpha * c)


def _steps(**options):
    return lambda *arguments: _step(*arguments, **options)


def _same_two(answer, right):
    """Return whether two arrays agree with two, in shape as well."""
    pairs = zip(answer, right, strict=True)
    return all(np.shape(a) == np.shape(r) and np.allclose(a, r) for a, r in pairs)


check_step = Check(
    _step_probes,
    right="Only the loss differs from the loop above: the step is the same line, for W and for c.",
    same=_same_two,
    mistakes=[
        Mistake(
            "uphill",
            "this step goes uphill; the gradient points to where the loss grows.",
            like=_steps(factor=-2, pull=-2),
        ),
        Mistake(
            "no factor 2",
            "half the step; the derivative of a square brings a factor 2.",
            like=_steps(factor=1, pull=1),
        ),
        Mistake(
            "a sum",
            "your gradient is that of the sum; the error is the mean over the n pairs.",
            like=_steps(n=1),
        ),
        Mistake(
            "no penalty",
            "the penalty is missing; it has a gradient of its own, by W.",
            like=_steps(pull=0),
        ),
        Mistake(
            "the penalty on c",
            "the penalty is on W alone; leave c out of it.",
            like=_steps(pull_c=2),
        ),
        Mistake(
            "c by the mean",
            "c_j acts on all rows of its column: add up what they say; the 1/n is in the loss.",
            like=_steps(mean=True),
        ),
        Mistake(
            "the gradients only",
            "these are the gradients; return the new weights, W - rate * gradient, and the new c.",
            when=lambda answer, right, W, c, X, Y, alpha, rate: _same_two(
                answer, [(old - new) / rate for old, new in zip((W, c), right, strict=True)]
            ),
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


# --- 1.5 a learned temperature ------------------------------------------------------------------


def _temperature_probes():
    probes = []
    for n, temperature, seed in ((3, 0.5, 0), (4, 2.0, 1)):
        C = np.random.default_rng(seed).uniform(-1, 1, size=(n, n))
        up, low = (_row_loss(C, temperature + step) for step in (1e-5, -1e-5))
        probes.append(((C, temperature), (up - low) / 2e-5))
    return probes


def _row_loss(C, tau):
    S = C / tau
    return np.mean([np.log(np.exp(row).sum()) - row[i] for i, row in enumerate(S)])


def _by_temperature(C, tau, truth=1, axis=1):
    P = np.exp(C / tau) / np.exp(C / tau).sum(axis=axis, keepdims=True)
    return -((P - truth * np.eye(len(C))) * C).sum() / len(C) / tau**2


check_temperature = Check(
    _temperature_probes,
    right="Where the own text wins, the gradient is positive and a step lowers the temperature.",
    mistakes=[
        Mistake(
            "sign",
            "the sign is wrong; 1 / tau falls as tau rises.",
            like=lambda C, tau: -_by_temperature(C, tau),
        ),
        Mistake(
            "by 1 / tau",
            "this is the gradient by 1 / tau; one factor of the chain is missing.",
            like=lambda C, tau: -(tau**2) * _by_temperature(C, tau),
        ),
        Mistake(
            "by log tau",
            "this is the gradient by log tau; the derivative of 1 / tau is -1 / tau**2.",
            like=lambda C, tau: tau * _by_temperature(C, tau),
        ),
        Mistake(
            "a sum",
            "the loss is the mean over the rows; divide by n.",
            like=lambda C, tau: len(C) * _by_temperature(C, tau),
        ),
        Mistake(
            "no truth",
            "probabilities minus truth: the right answers' 1 is missing.",
            like=lambda C, tau: _by_temperature(C, tau, truth=0),
        ),
        Mistake(
            "columns",
            "the softmax runs along each row: axis=1.",
            like=lambda C, tau: _by_temperature(C, tau, axis=0),
        ),
    ],
)
