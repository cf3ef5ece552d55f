"""The figures of notebook 05: each draws computed results and shows them with text and caption."""

import textwrap

import numpy as np

import crossmodal_utils as cm
from pictures_02 import _axes, _photos, _show, readable


def _wrapped(name, width=16):
    """Return a name in lower case, on lines of a readable length."""
    return textwrap.fill(name.lower(), width, break_long_words=False)


def _listed(rows):
    """Return {row: {series: (value, low, high)}} as a sentence."""
    cells = (
        f"{name} {' / '.join(f'{v:.3f}' for v, _, _ in row.values())}"
        for name, row in rows.items()
    )
    return "; ".join(cells)


@readable
def some_characters(catalogue):
    """Show some characters with their names."""
    fig, axes = _axes(3, 10, figsize=(13, 7.4))
    _photos(axes, catalogue.images[:30], [_wrapped(name, 14) for name in catalogue.texts[:30]])
    for ax in axes.flat:
        ax.xaxis.label.set_size(9)
    fig.suptitle("Every character has a picture and an official name")
    scripts = len({name.split()[0] for name in catalogue.texts[:30]})
    _show(
        fig,
        f"Thirty characters in three rows with their names below, of {scripts} kinds by their "
        f"first word; the first is {catalogue.texts[0]}, the last {catalogue.texts[29]}.",
        f"Figure 1. Thirty of the characters. Their names begin with {scripts} different words.",
    )


@readable
def ladder(rows, chance):
    """Draw recall@1 of all methods, with intervals."""
    fig, ax = _axes(figsize=(11, 6.2))
    cm.plot_comparison(ax, rows, chance=chance)
    ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.0, 0.02))
    ax.set_title("Each step counts: features, objective, correction")
    listed = _listed(rows)
    _show(
        fig,
        f"Recall@1 with 95 % intervals by method, picture to name / name to picture. {listed}.",
        "Figure 2. Test recall@1 among 1,000 unseen names, picture to name / name to picture.\n"
        + textwrap.fill(f"{listed}.", 95)
        + f"\nBars: 95 % intervals. Chance: {chance:g}.",
    )


@readable
def groups(rows, chance):
    """Draw recall@1 by group of names, with intervals."""
    fig, ax = _axes(figsize=(11, 5.4))
    cm.plot_comparison(ax, rows, chance=chance)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(0.06, 0.45))
    ax.set_title("Strict rules are learned best; a word never learned costs most")
    listed = _listed(rows)
    _show(
        fig,
        f"Recall@1 with 95 % intervals by group of names. {listed}.",
        "Figure 3. Test recall@1 by group (number of names), picture to name / name to picture.\n"
        + textwrap.fill(f"{listed}.", 95),
    )


@readable
def failures(catalogue, shown, found, counts):
    """Show the first failures of each family: the picture asked, and that of the name found."""
    fig, axes = _axes(len(shown), 4, figsize=(11, 11.5))
    for line, items, kind in zip(axes, shown, counts, strict=True):
        for ax in line:
            ax.axis("off")
        for k, item in enumerate(items):
            pair = line[2 * k : 2 * k + 2]
            for ax, i, word in zip(pair, (item, found[item]), ("asked", "found"), strict=True):
                ax.axis("on")
                _photos([ax], catalogue.images[[i]], [_wrapped(catalogue.texts[i], 24)])
                ax.set_title(
                    word if k or word == "found" else f"{kind}: {counts[kind]}", fontsize=12
                )
                ax.xaxis.label.set_size(9)
    total = sum(counts.values())
    listed = ", ".join(f"{kind} {n}" for kind, n in counts.items())
    fig.suptitle("What stands first instead of the true name", fontsize=15)
    _show(
        fig,
        f"Two failures of each of {len(counts)} families: the character asked beside the one "
        f"whose name was found. Of {total} failures: {listed}.",
        f"Figure 4. All {total} failures from picture to name, by family: {listed}.",
    )


@readable
def name_to_characters(catalogue, typed, nearest):
    """Show the characters nearest to each typed name."""
    fig, axes = _axes(len(typed), nearest.shape[1], figsize=(12, 8.4))
    for line, query, row in zip(axes, typed, nearest, strict=True):
        _photos(line, catalogue.images[row], [_wrapped(catalogue.texts[i], 20) for i in row])
        for ax in line:
            ax.xaxis.label.set_size(9)
        line[0].set_title(query, loc="left", fontsize=12)
    fig.suptitle("Names that were typed, and the characters nearest to them", fontsize=15)
    first = "; ".join(
        f"{q}: {catalogue.texts[row[0]]}" for q, row in zip(typed, nearest, strict=True)
    )
    _show(
        fig,
        f"{len(typed)} rows of {nearest.shape[1]} characters, one row for each typed name. "
        f"First in each row: {first}.",
        "Figure 5. Nearest first. " + textwrap.fill(first, 95) + ".",
    )


@readable
def shift(rows):
    """Draw recall@1 at home and away, before and after augmentation."""
    fig, ax = _axes(figsize=(11, 4.2))
    cm.plot_comparison(ax, rows)
    ax.legend(frameon=False, loc="upper left")
    ax.set_title("A new hand costs recall; more typefaces win little of it back")
    listed = _listed(rows)
    _show(
        fig,
        f"Recall@1 with 95 % intervals in an unseen typeface and at home. {listed}.",
        "Figure 6. CCA, recall@1 of the names both typefaces hold, that typeface / DejaVu Sans.\n"
        + textwrap.fill(f"{listed}.", 95),
    )


@readable
def drawing(image, names, scores):
    """Show a drawing with the names that come closest."""
    fig, (left, right) = _axes(1, 2, figsize=(10, 3), width_ratios=[1, 3])
    _photos([left], image[None])
    right.axis("off")
    for place, (name, score) in enumerate(zip(names, scores, strict=True)):
        right.text(0, 0.9 - 0.19 * place, f"{score:.2f}  {name}", fontsize=13)
    fig.suptitle("A drawing, and the names nearest to it")
    listed = "; ".join(f"{name} {score:.2f}" for name, score in zip(names, scores, strict=True))
    _show(
        fig,
        f"A drawing of 48 by 48 pixels with the five nearest names. {listed}.",
        "Figure 7. The five nearest names and their scores.\n" + textwrap.fill(f"{listed}.", 95),
    )


@readable
def kinds_of_files(images, kinds, number):
    """Show one loaded photo for each kind of file."""
    fig, axes = _axes(1, len(images), figsize=(13, 2.8))
    _photos(axes, images, kinds)
    fig.suptitle("However a picture is stored, it comes back upright, whole and in one size")
    size = images.shape[1]
    told = f"{len(images)} kinds of files, each now {size} x {size} pixels in RGB"
    listed = ", ".join(kinds).replace("\n", " ")
    _show(
        fig,
        f"{len(images)} photos of products in a row, upright and undistorted, one for each kind "
        f"of file: {listed}.",
        f"Figure {number}. {told}; none lies on its side and none is stretched.",
    )


@readable
def learning_curve(sizes, curves, chance, number):
    """Draw recall@1 by training pairs, with intervals: {name: [(value, low, high), ...]}."""
    fig, ax = _axes(figsize=(9, 4.6))
    for s, (name, points) in enumerate(curves.items()):
        value, low, high = np.array(points).T
        x = np.array(sizes) * (0.98, 1.02)[s]  # side by side, so that the bars do not overlap
        style = {"fmt": f"-{cm.MARKERS[s]}", "color": cm.PALETTE[s], "ms": 8, "lw": 2}
        ax.errorbar(x, value, yerr=[value - low, high - value], capsize=4, label=name, **style)
    ax.axhline(chance, color="#444444", ls=":", label=f"chance ({chance:.3f})")
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, sizes)
    ax.minorticks_off()
    ax.set_ylim(bottom=0)
    ax.set(xlabel="training pairs (each step doubles them)", ylabel="recall@1 (share of queries)")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="upper left")
    ax.set_title("The curve still climbs: more pairs would help")
    told = "; ".join(
        f"{name} {', '.join(f'{value:.2f}' for value, _, _ in points)}"
        for name, points in curves.items()
    )
    told = f"Recall@1 after {', '.join(map(str, sizes))} training pairs: {told}"
    _show(
        fig,
        f"Two rising curves with 95 per cent intervals over a dotted line at chance. {told}.",
        f"Figure {number}. {told}. Bars are 95 % intervals; chance is {chance:.3f}.",
    )
