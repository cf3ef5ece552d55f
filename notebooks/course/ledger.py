"""The results that a notebook's prose quotes: recorded in folded cells, compared by the tests."""

import html
import math
import numbers
import os
import re

import numpy as np
from IPython.display import display

HEADING = "Results of this notebook"
_KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")


class Results:
    """What one notebook measured.

    In your own kernel it takes whatever you record and never complains. The tests set the
    environment variable COURSE_STRICT=1; then a result that is no finite number, or that comes
    a second time with another value, is an error.

    Examples
    --------
    >>> results = Results()
    >>> results.record(n_products=1000)
    >>> results.record("cca.image_to_text", {"r1": 0.43125, "mrr": 0.5})
    >>> results.check(results["n_products"] > 500, "there are enough products")
    >>> print(results)
    Results of this notebook
    n_products = 1000
    cca.image_to_text.r1 = 0.4313
    cca.image_to_text.mrr = 0.5000
    """

    def __init__(self):
        self._values = {}

    def __getitem__(self, key):
        """Return a recorded value."""
        return self._values[key]

    def __str__(self):
        """Return the heading and one line ``key = value`` for each result."""
        return "\n".join([HEADING, *(f"{k} = {_text(v)}" for k, v in self._values.items())])

    def record(self, prefix=None, value=None, **named):
        """Record a value, or a (nested) dict of values, under a dotted key; or key=value pairs."""
        given = dict(_flatten({**({} if prefix is None else {str(prefix): value}), **named}))
        if _is_strict():
            for key, number in given.items():
                self._refuse(key, number)
        self._values.update(given)

    def check(self, holds, claim):
        """Have the tests make sure of a claim in the text; a reader's own run passes by."""
        if _is_strict() and not np.all(holds):
            raise AssertionError(f"this does not hold: {claim}")

    def show(self):
        """Display the results as a folded list."""
        text = str(self)
        lines = html.escape("\n".join(text.splitlines()[1:]))
        folded = f"<details><summary>{HEADING}</summary><pre>{lines}</pre></details>"
        display({"text/html": folded, "text/plain": text}, raw=True)

    def _refuse(self, key, number):
        """Raise for what the text cannot quote."""
        if not _KEY.fullmatch(key) or key == "fixed":  # <!--fixed--> marks constants in the prose
            raise ValueError(f"key {key!r} must be lower-case words joined by dots")
        if isinstance(number, bool) or not isinstance(number, numbers.Real):
            raise TypeError(f"{key!r} must be one int or float, got {type(number).__name__}")
        if not math.isfinite(number):
            raise ValueError(f"{key!r} must be finite, got {number}")
        if key in self._values and _text(self._values[key]) != _text(number):
            was = _text(self._values[key])
            raise ValueError(f"{key!r} was recorded as {was} and came again as {_text(number)}")


def _is_strict():
    """Return whether the tests run this kernel."""
    return os.environ.get("COURSE_STRICT") == "1"


def _flatten(values, prefix=""):
    """Yield dotted keys and values of a nested mapping."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            is_scalar = isinstance(value, np.generic | np.ndarray) and np.ndim(value) == 0
            yield f"{prefix}{key}", value.item() if is_scalar else value


def _text(number):
    """Return a value as the list shows it: ints whole, floats with four decimals."""
    if isinstance(number, numbers.Integral):
        return str(int(number))
    if isinstance(number, numbers.Real):
        return f"{round(float(number), 4) + 0.0:.4f}"  # + 0.0 turns -0.0 into 0.0
    return " ".join(str(number).split())[:80]
