"""Checks of the exercises of notebook 05."""

import posixpath

import numpy as np

from course import Check, Mistake

# --- 5.1: the ceiling that equal texts set ---


def _ceiling_probes():
    # By hand: each row of a text that m rows share finds its own with probability 1/m at best.
    return [
        ((["red mug", "hat", "red mug", "sock"],), 3 / 4),  # (1/2 + 1 + 1/2 + 1) / 4
        ((["a", "b", "c"],), 1.0),
        ((["a"] * 5,), 1 / 5),
        ((["a", "a", "a", "b", "b", "c"],), 3 / 6),
    ]


def _count(texts):
    return {text: texts.count(text) for text in texts}


check_ceiling = Check(
    _ceiling_probes,
    right="Each different text earns 1 in all, however many rows share it.",
    mistakes=[
        Mistake(
            "only texts that stand once",
            "a text that m rows share is not lost: its rows find themselves once in m times.",
            like=lambda texts: np.mean([_count(texts)[t] == 1 for t in texts]),
        ),
        Mistake(
            "a count",
            "you return a number of texts; divide by the number of rows.",
            like=lambda texts: len(set(texts)),
        ),
        Mistake(
            "reciprocal of the mean count",
            "average 1/m over the rows; you take the reciprocal of the average m.",
            like=lambda texts: 1 / np.mean([_count(texts)[t] for t in texts]),
        ),
        Mistake(
            "share of repeats",
            "you return the share that is lost; the ceiling is the rest.",
            like=lambda texts: 1 - len(set(texts)) / len(texts),
        ),
        Mistake(
            "averaged over texts",
            "every row is a query, so average over the rows, not over the different texts.",
            like=lambda texts: np.mean([1 / m for m in _count(texts).values()]),
        ),
    ],
)

# --- 5.2: what a doubling of the pairs gains ---


def _gain_probes():
    return [
        ((np.array([100, 200, 400]), np.array([0.1, 0.2, 0.3])), 0.1),
        ((np.array([50, 400]), np.array([0.2, 0.5])), 0.1),  # three doublings
        # Least squares by hand over log2(n / 100) = 0, 1, 2, 3: sum xy / sum xx, centred, 0.3 / 5.
        ((np.array([100, 200, 400, 800]), np.array([0.1, 0.2, 0.2, 0.3])), 0.06),
        ((np.array([64, 256, 128]), np.array([0.5, 0.3, 0.4])), -0.1),
    ]


check_gain = Check(
    _gain_probes,
    right="A straight line over the logarithm to base 2 has one slope for every doubling.",
    mistakes=[
        Mistake(
            "per pair",
            "you fit a line over the number of pairs; take the logarithm to base 2 first.",
            like=lambda n, r: np.polyfit(n, r, 1)[0],
        ),
        Mistake(
            "natural logarithm",
            "with the natural logarithm the slope belongs to a factor of e; use base 2.",
            like=lambda n, r: np.polyfit(np.log(n), r, 1)[0],
        ),
        Mistake(
            "logarithm to base 10",
            "with base 10 the slope belongs to ten times as many pairs; use base 2.",
            like=lambda n, r: np.polyfit(np.log10(n), r, 1)[0],
        ),
        Mistake(
            "intercept",
            "you return where the line starts; its slope is wanted.",
            like=lambda n, r: np.polyfit(np.log2(n), r, 1)[1],
        ),
        Mistake(
            "end minus start",
            "you return the whole rise; divide it among the doublings.",
            like=lambda n, r: r[-1] - r[0],
        ),
        Mistake(
            "mean of the steps",
            "you average the steps between neighbours, which only knows the two ends, and takes "
            "every step for one doubling; fit a line.",
            like=lambda n, r: np.mean(np.diff(r)),
        ),
    ],
)

# --- 5.4: vectors in the order of the table ---


def _order_probes():
    V = np.array([[1.0, 0.1], [2.0, 0.2], [3.0, 0.3], [4.0, 0.4]])
    return [
        ((["a", "b", "c"], ["c", "a", "b"], V[:3].copy()), V[[1, 2, 0]]),
        ((["s9", "s10", "s7"], ["s7", "s9", "s8", "s10"], V.copy()), V[[1, 3, 0]]),
        ((["x", "x", "y"], ["y", "x", "z"], V[:3].copy()), V[[1, 1, 0]]),  # listed twice
        ((["d", "a", "c", "b"], ["b", "c", "d", "a"], V.copy()), V[[2, 3, 1, 0]]),
    ]


def _places(ids, of):
    return [of.index(x) for x in ids]


check_order = Check(
    _order_probes,
    right="Row i of the result belongs to row i of the table, however the file was sorted.",
    mistakes=[
        Mistake(
            "not reordered",
            "you take the vectors in the file's own order; look each id up.",
            like=lambda ids, vector_ids, V: V[: len(ids)],
        ),
        Mistake(
            "the other way round",
            "you look up where the file's ids stand in the table; it is the table's ids that must "
            "be found in the file.",
            like=lambda ids, vector_ids, V: V[
                [ids.index(x) if x in ids else 0 for x in vector_ids][: len(ids)]
            ],
        ),
        Mistake(
            "sorted",
            "you sort the vectors by id; the table is not sorted.",
            like=lambda ids, vector_ids, V: V[np.argsort(vector_ids)][: len(ids)],
        ),
        Mistake(
            "selected only",
            "you choose the right rows and leave them in the file's order.",
            like=lambda ids, vector_ids, V: V[np.isin(vector_ids, ids)],
        ),
    ],
)

# --- 5.3: a path that stays inside ---


def _inside_probes():
    return [
        (("images/1.png",), True),
        (("../1.png",), False),
        (("images/../../1.png",), False),
        (("images/../1.png",), True),  # up and down again, still inside
        (("..images/1.png",), True),  # a strange name, no step up
        (("/etc/passwd",), False),
        (("a/b/../../../x/1.png",), False),
        (("./images/1..png",), True),
    ]


check_inside = Check(
    _inside_probes,
    right="The path is judged at every step, so no detour gets past it.",
    mistakes=[
        Mistake(
            "any two dots",
            "two dots may stand in a name, and a step up may be taken back; work the path out "
            "before you judge it.",
            like=lambda name: ".." not in name and not name.startswith("/"),
        ),
        Mistake(
            "any step up",
            "a path may step up and down again and still be inside; work it out before you judge.",
            like=lambda name: ".." not in name.split("/") and not name.startswith("/"),
        ),
        Mistake(
            "only the start",
            "you look at the first step only; the steps up may come later.",
            like=lambda name: not name.startswith(("../", "/")),
        ),
        Mistake(
            "absolute paths",
            "a path that begins at the root leaves the folder without a step up.",
            like=lambda name: posixpath.normpath(name).split("/")[0] != "..",
        ),
        Mistake(
            "everything is inside",
            "you call every path inside; the folder's name in front keeps none inside, as the "
            "steps up come after it.",
            like=lambda name: True,
        ),
        Mistake(
            "names with dots",
            "only a whole step named .. leads up; a name may begin with two dots.",
            like=lambda name: not posixpath.normpath(name).startswith(("..", "/")),
        ),
    ],
)

# --- 5.5: runs of letters ---


def _runs_probes():
    return [
        (("PWII", 2), ["<P", "PW", "WI", "II", "I>"]),
        (("YAGH", 3), ["<YA", "YAG", "AGH", "GH>"]),
        (("I", 2), ["<I", "I>"]),
        (("I", 4), []),  # "<I>" is shorter than the run
        (("ANA", 1), ["<", "A", "N", "A", ">"]),
    ]


def _runs(word, n):
    return [word[i : i + n] for i in range(len(word) - n + 1)]


check_runs = Check(
    _runs_probes,
    right="The marks tell a beginning from a middle, and no run is cut short at the end.",
    mistakes=[
        Mistake(
            "no marks",
            "mark the ends of the word with < and > first, then take the runs.",
            like=_runs,
        ),
        Mistake(
            "last run missing",
            "you stop one run too early; the last one ends with >.",
            like=lambda word, n: _runs(f"<{word}>", n)[:-1],
        ),
        Mistake(
            "side by side",
            "your runs do not overlap; the next one begins one letter further on.",
            like=lambda word, n: [f"<{word}>"[i : i + n] for i in range(0, len(word) + 2, n)],
        ),
        Mistake(
            "too long by the end",
            "your last runs are shorter than n; stop where a whole run no longer fits.",
            like=lambda word, n: [f"<{word}>"[i : i + n] for i in range(len(word) + 2)],
        ),
        Mistake(
            "each run once",
            "a run that comes twice counts twice; return a list with repeats, in order.",
            when=lambda answer, right, word, n: set(answer) == set(right),
        ),
    ],
)

# --- 5.6: parts seen, never together ---

_SEEN = ["A", "E", "A WITH ACUTE", "O WITH GRAVE", "E WITH GRAVE AND DOT", "N WITH TILDE"]


def _seen_probes():
    return [
        (("A WITH GRAVE", _SEEN), True),
        (("A WITH ACUTE", _SEEN), False),  # seen together
        (("U WITH ACUTE", _SEEN), False),  # the base was never seen
        (("A WITH RING", _SEEN), False),  # the marks were never seen
        (("A WITH GRAVE AND DOT", _SEEN), True),
        (("E WITH DOT", _SEEN), False),  # a dot was seen only together with a grave
        (("N WITH ACUTE", _SEEN), True),  # the base only with another mark
        (("E", _SEEN), False),
    ]


def _bases(names):
    return {name.partition(" WITH ")[0] for name in names}


def _marks(names):
    return {name.partition(" WITH ")[2] for name in names} - {""}


def _halves(name):
    base, _, marks = name.partition(" WITH ")
    return base, marks


check_seen = Check(
    _seen_probes,
    right="Both halves must be known, and the whole must be new: that is what composing means.",
    mistakes=[
        Mistake(
            "either half",
            "both halves must have been seen; you accept names of which only one was.",
            like=lambda name, names: (
                name not in names
                and (_halves(name)[0] in _bases(names) or _halves(name)[1] in _marks(names))
            ),
        ),
        Mistake(
            "seen together too",
            "a name that stands among the training names was seen as a whole; that is memory.",
            like=lambda name, names: (
                _halves(name)[0] in _bases(names) and _halves(name)[1] in _marks(names)
            ),
        ),
        Mistake(
            "marks not asked",
            "you ask about the base only; the marks must have been seen as well.",
            like=lambda name, names: name not in names and _halves(name)[0] in _bases(names),
        ),
        Mistake(
            "base not asked",
            "you ask about the marks only; the base must have been seen as well.",
            like=lambda name, names: name not in names and _halves(name)[1] in _marks(names),
        ),
        Mistake(
            "only plain bases",
            "a base may have been seen with other marks only; compare with all bases.",
            like=lambda name, names: (
                name not in names
                and _halves(name)[0] in names
                and _halves(name)[1] in _marks(names)
            ),
        ),
    ],
)
