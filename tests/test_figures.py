"""The ledger never complains to a reader, and figures say the numbers that they show."""

import base64
import doctest
import re

import numpy as np
import pytest
from matplotlib import pyplot as plt

import course
import guards
from course import checks, figures, ledger


@pytest.fixture
def shown(monkeypatch):
    """Return the list of what is displayed, each as (data, metadata)."""
    outputs = []

    def display(data, raw, metadata=None):
        outputs.append((data, metadata))

    monkeypatch.setattr(figures, "display", display)
    monkeypatch.setattr(ledger, "display", display)
    return outputs


def test_examples_in_docstrings():
    for module in (checks, ledger):
        result = doctest.testmod(module)
        assert result.attempted and not result.failed


# --- the ledger ---------------------------------------------------------------------------------


def test_ledger_shows_what_the_guards_read(shown):
    results = course.Results()
    results.record("cca", {"image_to_text": {"r1": 0.43125}, "n": np.int64(1000)})
    results.record(time=np.float32(3.0), zero=-0.00001)
    results.record("cca.n", 1000)  # once more, the same
    results.show()
    data = shown[0][0]
    cell = {"cell_type": "code", "source": "results.show()", "outputs": [{"data": data}]}
    assert guards.has_ledger({"cells": [cell]}) == []
    assert guards.ledger({"cells": [cell]}) == {
        "cca.image_to_text.r1": "0.4313",
        "cca.n": "1000",
        "time": "3.0000",
        "zero": "0.0000",
    }
    assert results["cca.n"] == 1000
    assert (ledger.HEADING, figures.NUMBERS) == (guards.LEDGER_HEADING, guards.NUMBERS)


REFUSED = [
    (("a", float("nan")), ValueError, "finite"),
    (("a", float("inf")), ValueError, "finite"),
    (("a", "0.5"), TypeError, "one int or float, got str"),
    (("a", True), TypeError, "got bool"),
    (("a", [1, 2]), TypeError, "got list"),
    (("recall@1", 0.5), ValueError, "lower-case"),
    (("fixed", 0.5), ValueError, "lower-case"),
    (("known", 2), ValueError, "recorded as 1 and came again as 2"),
]


@pytest.mark.parametrize(("arguments", "error", "words"), REFUSED)
def test_ledger_refuses_from_the_tests_alone(arguments, error, words, monkeypatch, shown):
    results = course.Results()
    results.record(known=1)
    monkeypatch.setenv("COURSE_STRICT", "1")
    with pytest.raises(error, match=words):
        results.record(*arguments)
    assert results._values == {"known": 1}
    monkeypatch.delenv("COURSE_STRICT")
    results.record(*arguments)
    results.record(*arguments)
    results.show()
    assert f"{arguments[0]} = " in shown[0][0]["text/plain"]


def test_a_claim_is_checked_for_the_tests_alone(monkeypatch):
    results = course.Results()
    monkeypatch.setenv("COURSE_STRICT", "1")
    results.check(np.array([True, True]), "both hold")
    with pytest.raises(AssertionError, match="does not hold: it grows"):
        results.check(np.array([True, False]), "it grows")
    monkeypatch.delenv("COURSE_STRICT")
    results.check(False, "it grows")


# --- figures ------------------------------------------------------------------------------------


def lines(ax):
    course.curves(ax, [1, 10], {"up": np.array([0.12345, 2000.4])}, "size", "recall")
    ax.axhline(0.05, label="chance")


def many_points(ax):
    ax.plot(np.arange(1000), np.arange(1000) / 7)


def intervals(ax):
    rows = {"random": {"a": (0.1, 0, 0.2)}, "trained": {"a": (0.8, 0.75, 0.85)}}
    course.comparison(ax, rows, chance=0.001, xlabel="recall@1")


def upright_intervals(ax):
    ax.errorbar([0, 1], [3, 4], yerr=[[0.5, 1], [1, 2]], fmt="o", label="mean")
    ax.set_xticks([0, 1], ["cat", "dog"])


def grouped_bars(ax):
    for shift, name in ((-0.2, "a"), (0.2, "b")):
        ax.bar(np.arange(2) + shift, [1 + shift, 2], width=0.4, label=name)
    ax.set_xticks([0, 1], ["red", "blue"])


def level_bars(ax):
    ax.barh(["red", "blue"], [0.5, 0.25])


def histogram(ax):
    ax.hist(np.r_[np.zeros(70), np.ones(30)], bins=20, label="scores")


def scatter(ax):
    ax.scatter(np.arange(10), np.arange(10) / 3, label="photos")
    ax.scatter([1, 2], [3, 4], label="texts")


def heat_map(ax):
    ax.imshow([[0.5, 0.25], [1e-12, np.nan]])
    ax.set_xticks([0, 1], ["red", "blue"])


def large_map(ax):
    ax.pcolormesh(np.arange(200.0).reshape(10, 20))


def written(ax):
    ax.plot([1, 2], [3, 4], label="a")
    ax.text(1, 3, "p = 0.05")
    ax.annotate("no number", (1, 3))


def photo(ax):
    course.photos([ax], [np.zeros((4, 4, 3), "uint8")], captions=["a red mug"], edges=["r"])


def log_axis(ax):
    ax.plot([0.01, 0.1], [1, 2], label="t")
    ax.set_xscale("log")
    ax.set_xticks([0.01, 0.1], ["cold", "warm"])


@pytest.mark.parametrize(
    ("draw", "numbers"),
    [
        (
            lines,
            {
                "shown": "recall by size",
                "up": "1: 0.123; 10: 2,000",
                "chance": "a horizontal line at 0.05",
            },
        ),
        (
            many_points,
            {
                "values": "0: 0; 91: 13; 182: 26; 272: 38.9; 363: 51.9; 454: 64.9; 545: 77.9; "
                "636: 90.9; 727: 104; 817: 117; 908: 130; 999: 143"
            },
        ),
        (
            intervals,
            {
                "shown": "recall@1",
                "a": "random: 0.1 (0 to 0.2); trained: 0.8 (0.75 to 0.85)",
                "chance (0.001)": "a vertical line at 0.001",
            },
        ),
        (upright_intervals, {"mean": "cat: 3 (2.5 to 4); dog: 4 (3 to 6)"}),
        (grouped_bars, {"a": "red: 0.8; blue: 2", "b": "red: 1.2; blue: 2"}),
        (level_bars, {"values": "red: 0.5; blue: 0.25"}),
        (
            histogram,
            {"scores": "from 0 to 1, half of it below 0.05, highest (70) between 0 and 0.05"},
        ),
        (
            scatter,
            {"photos": "10 points, x from 0 to 9, y from 0 to 3", "texts": "1: 3; 2: 4"},
        ),
        (heat_map, {"row 0": "red: 0.5; blue: 0.25", "row 1": "red: 0; blue: missing"}),
        (large_map, {"map": "10 by 20 values from 0 to 199"}),
        (written, {"a": "1: 3; 2: 4", "written in it": "p = 0.05"}),
        (photo, {"values": "a red mug"}),
        (log_axis, {"t": "cold: 1; warm: 2"}),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_numbers_are_those_that_the_figure_shows(draw, numbers):
    fig, ax = plt.subplots()
    draw(ax)
    assert course.figure_numbers(fig) == numbers
    plt.close(fig)


def test_several_panels_are_told_apart():
    fig, axes = plt.subplots(1, 3)
    for ax in axes[:2]:
        ax.bar(["a"], [1])
    axes[0].set_title("Left")
    photo(axes[2])
    image = axes[1].scatter([0], [0], c=[1.0])
    fig.colorbar(image)
    found = course.figure_numbers(fig)
    assert list(found) == ["Left", "panel 2", "panel 2 (2)", "photo 3"]
    plt.close(fig)


def test_show(shown):
    fig, ax = plt.subplots()
    lines(ax)
    ax.set_title("It rises")
    course.show(fig, "Recall rises with size & more.")
    assert not plt.fignum_exists(fig.number)
    (picture, metadata), (below, _) = shown
    assert metadata["image/png"]["alt"] == (
        "It rises. Recall rises with size & more. shown: recall by size. up: 1: 0.123; "
        "10: 2,000. chance: a horizontal line at 0.05."
    )
    assert below["text/plain"].splitlines()[:2] == [
        "Recall rises with size & more.",
        "Numbers in this figure",
    ]
    assert below["text/html"].startswith(
        "<p><em>Recall rises with size &amp; more.</em></p><details><summary>Numbers in this "
        "figure</summary><ul><li>shown: recall by size</li><li>up: 1: 0.123; 10: 2,000</li>"
    )
    outputs = [{"data": picture, "metadata": metadata}, {"data": below}]
    cell = {"cell_type": "code", "source": "course.show(...)", "outputs": outputs}
    assert guards.figures({"cells": [cell]}) == []


def test_show_takes_numbers_and_keeps_texts_short(shown):
    fig, ax = plt.subplots()
    given = {"a": 1.23456, "b": [1, 0.5], "c": np.float32(0.1), "e": "as it is"}
    course.show(ax, "A caption.", {**given, **{f"long {i}": "x" * 100 for i in range(20)}})
    alt = shown[0][1]["image/png"]["alt"]
    assert alt.startswith("A caption. a: 1.23. b: 1, 0.5. c: 0.1. e: as it is. long 0: x")
    assert len(alt) <= guards.MAX_ALT
    assert re.search(r"The list under the picture has 1\d lines more\.$", alt)
    assert shown[1][0]["text/plain"].count("\n- long") == 20


def test_pictures_are_sharp_or_small(shown):
    rng = np.random.default_rng(0)
    for n in (0, 2):
        fig, axes = plt.subplots(1, 2, figsize=(9, 4))
        course.photos(axes.ravel()[:n], rng.integers(0, 256, (n, 200, 200, 3), dtype=np.uint8))
        course.show(fig, f"{n} photos.")
    pictures = [base64.b64decode(data["image/png"]) for data, metadata in shown if metadata]
    plain, photos = (int.from_bytes(png[16:20], "big") for png in pictures)
    assert plain > 1300 and photos < 1000 and len(pictures[0]) < 50_000


def odd(ax):
    ax.pie([1, 2])
    ax.boxplot([[1, 2, 3]])
    ax.violinplot([[1, 2, 3]])
    ax.errorbar([], [])
    ax.bar([], [])
    ax.plot([], [])
    ax.scatter([], [])
    ax.imshow(np.full((3, 3), np.nan))
    ax.fill_between([1, 2], [1, 2])


@pytest.mark.parametrize("projection", [None, "3d"])
def test_no_figure_raises_or_warns(shown, projection, recwarn):
    fig, axes = plt.subplots(2, 2, subplot_kw={"projection": projection})
    if projection is None:
        odd(axes[0, 0])
    axes[1, 0].plot([1, 2, np.nan], [np.nan, 2, 3])
    axes[1, 1].set_visible(False)
    fig.suptitle("$\\alpha$")
    course.show(fig, "Odd.")
    course.show(plt.figure(), "Empty.")
    crowded, _ = plt.subplots(4, 4, figsize=(1, 1))
    course.show(crowded, "Crowded.")
    assert len(shown) == 6
    assert [str(warning.message) for warning in recwarn.list] == []


def test_importing_changes_nothing():
    import importlib

    before = dict(plt.rcParams)
    importlib.reload(figures)
    assert dict(plt.rcParams) == before


def test_similarity_has_its_photos_and_numbers():
    fig, ax = plt.subplots()
    photos = np.zeros((2, 4, 4, 3), "uint8")
    course.similarity(ax, np.array([[0.9, 0.1], [0.2, 0.8]]), photos, ["mug", "bag"])
    found = course.figure_numbers(fig)
    assert found == {"row 0": "mug: 0.9; bag: 0.1", "row 1": "mug: 0.2; bag: 0.8"}
    assert len(ax.child_axes) == 2
    plt.close(fig)
