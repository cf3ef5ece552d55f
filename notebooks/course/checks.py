"""Checks of the exercises: each calls the reader's function on small inputs and prints one line.

The line says right, not attempted, or what kind of wrong. See `Check` for a worked example.
"""

import copy
import inspect
import numbers
import re
import warnings

import numpy as np


class Mistake:
    """A wrong answer that the check knows, and what to tell a reader who gives it.

    Parameters
    ----------
    name : str
        What goes wrong, in a few words, for the tests.
    hint : str
        One sentence that helps without giving the solution away.
    like : callable, optional
        A function with the exercise's own signature that makes this mistake. It is recognised
        when the reader's answers equal its answers on every probe.
    when : callable, optional
        ``when(answer, right, *arguments)`` is true of an answer that shows this mistake. It is
        asked about the first probe that the reader's function gets wrong.
    """

    def __init__(self, name, hint, *, like=None, when=None):
        if (like is None) == (when is None):
            raise TypeError(f"mistake {name!r}: give one of like= and when=")
        self.name = name
        self.hint = hint
        self.like = like
        self.when = when


class Check:
    """Check a reader's function and print one line about it.

    Parameters
    ----------
    probes : callable
        Called without arguments; returns a list of pairs of a tuple of arguments and the right
        answer. Called afresh for each check, so nothing a reader does can change the probes.
        Put several, chosen so that each mistake shows in at least one of them. Find the right
        answers by hand or by a slow independent way, never by the solution itself.
    right : str
        What a reader who got it right has shown, after the word "Right."
    mistakes : sequence of Mistake
        Tried in this order; the first that fits gives the hint.
    same : callable, optional
        ``same(answer, right)``: whether an answer counts as right. By default numbers and
        arrays agree in shape and to 1e-6, everything else is equal.

    Examples
    --------
    In a module beside the notebooks, one exercise:

    >>> def _recall_probes():
    ...     ranks = np.array([1, 3, 2, 7, 1])
    ...     return [
    ...         ((ranks, 1), 2 / 5),
    ...         ((ranks, 3), 4 / 5),
    ...         ((ranks, 10), 1.0),
    ...     ]
    >>> check_recall = Check(
    ...     _recall_probes,
    ...     right="Recall@k is the share of queries whose item is among the first k.",
    ...     mistakes=[
    ...         Mistake(
    ...             "rank counted from 0",
    ...             "ranks start at 1 here, so a rank of k is still among the first k.",
    ...             like=lambda ranks, k: np.mean(ranks < k),
    ...         ),
    ...         Mistake(
    ...             "a count",
    ...             "you return how many queries hit; divide by the number of queries.",
    ...             like=lambda ranks, k: np.sum(ranks <= k),
    ...         ),
    ...         Mistake(
    ...             "per cent",
    ...             "return a share between 0 and 1, not per cent.",
    ...             when=lambda answer, right, ranks, k: np.isclose(answer, 100 * right),
    ...         ),
    ...     ],
    ... )

    and in the notebook the reader's cell, whose output is committed as printed here:

    >>> def recall_at_k(ranks, k):
    ...     '''Return the share of ranks up to k.'''
    ...     ...
    >>> check_recall(recall_at_k)
    Not attempted yet. Replace the ... in recall_at_k, then run this cell again.

    >>> check_recall(lambda ranks, k: (ranks <= k).sum())
    Not yet: you return how many queries hit; divide by the number of queries.

    >>> check_recall(lambda ranks, k: (ranks <= k).mean())
    Right. Recall@k is the share of queries whose item is among the first k.
    """

    def __init__(self, probes, *, right, mistakes=(), same=None):
        self.probes = probes
        self.right = right
        self.mistakes = list(mistakes)
        self.same = agree if same is None else same

    def __call__(self, function):
        """Print one line about the reader's function."""
        print(self.verdict(function))

    def verdict(self, function):
        """Return the line that the check prints.

        Parameters
        ----------
        function : callable
            The reader's function.

        Returns
        -------
        str
            A line that begins with "Right.", "Not attempted yet." or "Not yet:".
        """
        fault = self._fault(function)
        return _one_line(f"Right. {self.right}" if fault is None else fault)

    def _fault(self, function):
        """Return what to say about a function that is not right, or None."""
        name = getattr(function, "__name__", "your function")
        if function is None or function is ...:
            return _not_attempted(name)
        if not callable(function):
            return f"Not yet: hand over the function itself, not {_describe(function)}."
        answers = []
        for number, (arguments, _) in enumerate(self.probes()):
            answer, fault = _ask(function, arguments, name)
            if number and fault == _not_attempted(name):  # it did answer the first probe
                return f"Not yet: {name}{_call(arguments)} returned nothing."
            if fault is not None:
                return fault
            answers.append(answer)
        return self._compare(name, answers)

    def _compare(self, name, answers):
        """Return what to say about the answers to all probes, or None when they are right."""
        probes = self.probes()
        wrong = [
            i for i, (_, right) in enumerate(probes) if not _quietly(self.same, answers[i], right)
        ]
        if not wrong:
            return None
        arguments, right = probes[wrong[0]]
        for mistake in self.mistakes:
            if self._fits(mistake, answers, wrong[0]):
                return f"Not yet: {mistake.hint}"
        return "Not yet: " + _difference(f"{name}{_call(arguments)}", answers[wrong[0]], right)

    def _fits(self, mistake, answers, first_wrong):
        """Return whether the answers show this mistake."""
        if mistake.when is not None:
            arguments, right = self.probes()[first_wrong]
            return _quietly(mistake.when, answers[first_wrong], right, *arguments)
        return all(
            _quietly(lambda a=answer, x=arguments: self.same(a, mistake.like(*x)))
            for answer, (arguments, _) in zip(answers, self.probes(), strict=True)
        )


def _not_attempted(name):
    """Return the line for a function that nobody has filled in."""
    return f"Not attempted yet. Replace the ... in {name}, then run this cell again."


def _ask(function, arguments, name):
    """Return a function's answer to one probe, and what to say when there is none."""
    given = copy.deepcopy(arguments)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            answer = copy.deepcopy(function(*given))
    except NotImplementedError:
        return None, _not_attempted(name)
    except (Exception, SystemExit) as error:  # a reader's slip is a line to read, no traceback
        told = f"{type(error).__name__}: {error}".rstrip(": ")
        return None, f"Not yet: your function raised {told}{_where(error, function)}."
    if answer is None or answer is NotImplemented or answer is ...:
        return None, _not_attempted(name)
    if not agree(given, arguments):
        return None, (
            f"Not yet: {name} changed the data it was given; compute a new array instead, "
            "for example X - mean and not X -= mean."
        )
    return answer, None


def _where(error, function):
    """Return which line of the reader's function raised an error, as words."""
    code = getattr(function, "__code__", None)
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code is code:
            line = trace.tb_lineno - code.co_firstlineno + 1
        trace = trace.tb_next
    return "" if line is None else f" (line {line} of the function)"


def agree(answer, right):
    """Return whether an answer equals the right one: in kind, in shape and to 1e-6.

    Parameters
    ----------
    answer, right : number, array, str, or tuple, list or dict of them
        What is compared; a list of numbers agrees with the array of them.

    Returns
    -------
    bool
        NaN agrees with NaN only.
    """
    if hasattr(right, "toarray"):  # a sparse matrix
        return hasattr(answer, "toarray") and _arrays_agree(answer.toarray(), right.toarray())
    if isinstance(right, tuple | list) and any(not isinstance(x, numbers.Number) for x in right):
        answer = answer.tolist() if isinstance(answer, np.ndarray) else answer
        return (
            isinstance(answer, tuple | list)
            and len(answer) == len(right)
            and all(agree(a, r) for a, r in zip(answer, right, strict=True))
        )
    if isinstance(right, dict):
        same_keys = isinstance(answer, dict) and answer.keys() == right.keys()
        return same_keys and all(agree(answer[key], right[key]) for key in right)
    if isinstance(right, numbers.Number | np.generic | np.ndarray | tuple | list):
        return _arrays_agree(answer, right)
    if type(right).__eq__ is object.__eq__:  # an object that knows no equality: same kind will do
        return type(answer) is type(right)
    return type(answer) is type(right) and bool(np.all(answer == right))


def _arrays_agree(answer, right):
    """Return whether two arrays or numbers agree."""
    try:
        a, r = np.asarray(answer), np.asarray(right)
    except ValueError:  # a ragged list
        return False
    if a.shape != r.shape:
        return False
    if r.dtype.kind in "biufc" and a.dtype.kind in "biufc":
        if (r.dtype.kind == "b") != (a.dtype.kind == "b"):
            return False
        return bool(np.allclose(a, r, rtol=1e-6, atol=1e-8, equal_nan=True))
    return bool(np.all(a == r))


def _quietly(function, *arguments):
    """Return whether a function is true of the arguments; one that raises is not."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return bool(np.all(function(*copy.deepcopy(arguments))))
    except Exception:  # a diagnosis meets answers of any kind, most of them not its own
        return False


def _difference(call, answer, right):
    """Say how an answer differs from the right one, most telling difference first."""
    if isinstance(right, np.ndarray) and right.ndim:
        shape = getattr(np.asarray(answer, dtype=object), "shape", None)
        if isinstance(answer, np.ndarray | list | tuple | numbers.Number) and shape != right.shape:
            return f"{call} has shape {shape}, expected {right.shape}."
    return f"{call} returned {_describe(answer)}, expected {_describe(right)}."


def _describe(value):
    """Return a value as a reader can use it: short, without memory addresses."""
    if isinstance(value, bool | np.bool_ | int | str):
        return _short(repr(value.item() if isinstance(value, np.generic) else value))
    if isinstance(value, numbers.Real):
        return f"{float(value):.4g}"
    if isinstance(value, np.ndarray):
        with np.printoptions(precision=4, threshold=12, edgeitems=2, suppress=True):
            return _short(str(value))
    if isinstance(value, list | tuple):
        inside = ", ".join(_describe(x) for x in value)
        return _short(f"[{inside}]" if isinstance(value, list) else f"({inside})")
    if inspect.isroutine(value) or re.search("0x[0-9a-f]", repr(value)):
        return f"a {type(value).__name__}"
    return _short(repr(value))


def _call(arguments):
    """Return the arguments of a probe as they stand in a call."""
    return f"({', '.join(_short(_describe(x), 60) for x in arguments)})"


def _short(value, width=120):
    """Return a value's text on one line, cut where it is long."""
    text = _one_line(str(value))
    return text if len(text) <= width else text[: width - 3] + "..."


def _one_line(text):
    """Return a text without line breaks."""
    return re.sub(r"\s+", " ", text).strip()
