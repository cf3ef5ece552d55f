"""Compare our CCA with scikit-learn's in time and in what it finds.

Fits 3,000 pairs of 300-dimensional features with both, in one run, and prints the times, their
ratio and the largest difference of canonical correlations. Not a test: run it alone, with

    python tests/benchmark_cca.py [n_components]

scikit-learn finds one component after the other, ours always all at once. So the default is
10 components, which flatters scikit-learn: all 300 would take it the better part of an hour.
"""

import sys
import time
import warnings

import numpy as np
from sklearn.cross_decomposition import CCA as SKLEARN_CCA  # noqa: N811

import crossmodal_utils as cm


def make_pairs(n=3000, d=300, *, random_state=0):
    """Return two (n, d) views that share d directions, each more weakly than the last."""
    rng = np.random.default_rng(random_state)
    shared = rng.normal(size=(n, d))
    strengths = np.linspace(3, 0.05, d)
    views = [shared * strengths + rng.normal(size=(n, d)) for _ in range(2)]
    return [view @ np.linalg.qr(rng.normal(size=(d, d)))[0] for view in views]


def main(n_components):
    """Time both and print what they find."""
    X, Y = make_pairs()
    times = []
    for _ in range(5):
        start = time.perf_counter()
        ours = cm.CCA(n_components, regularization=0).fit(X, Y)
        times.append(time.perf_counter() - start)
    theirs = SKLEARN_CCA(n_components, max_iter=20_000, tol=1e-9)
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        theirs.fit(X, Y)
    slow = time.perf_counter() - start
    scores = theirs.transform(X, Y)
    found = [np.corrcoef(u, v)[0, 1] for u, v in zip(*(s.T for s in scores), strict=True)]
    difference = np.abs(np.sort(found)[::-1] - ours.correlations_).max()
    fast = float(np.median(times))
    print(f"3,000 pairs of 300-dimensional features, {n_components} components")
    print(f"ours          {fast:9.3f} s (median of 5)")
    print(f"scikit-learn  {slow:9.3f} s (once; {len(caught)} warnings)")
    print(f"ratio         {slow / fast:9.0f} times")
    print(f"largest difference of the correlations {difference:.1e}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
