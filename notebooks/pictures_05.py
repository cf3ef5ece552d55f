"""The figures of notebook 05: each draws computed results and shows them with text and caption."""

import textwrap

import numpy as np

import crossmodal_utils as cm
from pictures_02 import _axes, _photos, _show, readable


def _wrapped(name, width=16):
    """Return a name on lines of a readable length."""
    return textwrap.fill(name, width, break_long_words=False)


def _legend_below(ax):
    """Put the legend under the axes, where no key can be taken for a point."""
    n_keys = len(ax.get_legend_handles_labels()[0])
    ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.4, -0.14), ncols=n_keys)


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
    fig, ax = _axes(figsize=(11, 7.4))
    cm.plot_comparison(ax, rows, chance=chance)
    _legend_below(ax)
    ax.set_title("Each step counts: features, objective, correction")
    listed = _listed(rows)
    _show(
        fig,
        f"Recall@1 with 95 % intervals by method, picture to name / name to picture. {listed}.",
        "Figure 2. Test recall@1 among 1,000 unseen names, picture to name / name to picture.\n"
        f"{listed}."
        f"\nBars: 95 % intervals of each method by itself; chance: {chance:g}. "
        "The next cell compares in pairs.",
    )


@readable
def groups(rows, chance):
    """Draw recall@1 by group of names, with intervals."""
    fig, ax = _axes(figsize=(11, 6.4))
    cm.plot_comparison(ax, rows, chance=chance)
    _legend_below(ax)
    ax.set_title("Known parts are found more often than words never learned")
    listed = _listed(rows)
    _show(
        fig,
        f"Recall@1 with 95 % intervals by group of names. {listed}.",
        "Figure 3. Test recall@1 by group (number of names), picture to name / name to picture.\n"
        f"{listed}."
        "\nBars: 95 % intervals after Wilson.",
    )


@readable
def failures(catalogue, shown, found, counts):
    """Show the first failures of each family: the picture asked, and that of the name found."""
    # The narrow column between the two pairs stays empty.
    fig, axes = _axes(len(shown), 5, figsize=(12, 12.5), width_ratios=[1, 1, 0.3, 1, 1])
    for line, items, kind in zip(axes, shown, counts, strict=True):
        for ax in line:
            ax.axis("off")
        told = f"{textwrap.fill(kind, 14)}\n({counts[kind]})"
        line[0].text(-0.22, 0.5, told, transform=line[0].transAxes, ha="right", va="center")
        for item, pair in zip(items, (line[:2], line[3:]), strict=False):
            for ax, i, word in zip(pair, (item, found[item]), ("asked", "found"), strict=True):
                ax.axis("on")
                _photos([ax], catalogue.images[[i]], [_wrapped(catalogue.texts[i], 20)])
                ax.set_title(word, fontsize=12)
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
        f"Figure 5. Nearest first. {first}.",
    )


@readable
def shift(rows):
    """Draw recall@1 at home and away, before and after augmentation."""
    fig, ax = _axes(figsize=(11, 4.8))
    cm.plot_comparison(ax, rows)
    ax.set_xlim(left=0)
    _legend_below(ax)
    ax.set_title("Serif loses little; STIX loses more than half")
    listed = _listed(rows)
    _show(
        fig,
        f"Recall@1 with 95 % intervals in an unseen typeface and at home. {listed}.",
        "Figure 6. CCA, recall@1 of the names both typefaces hold, that typeface / DejaVu Sans.\n"
        f"{listed}.",
    )


@readable
def drawing(image, names, scores):
    """Show a drawing with the names that come closest."""
    fig, (left, right) = _axes(1, 2, figsize=(9, 3), width_ratios=[1, 2.2])
    _photos([left], image[None])
    right.axis("off")
    for place, (name, score) in enumerate(zip(names, scores, strict=True)):
        told = f"{score:.2f}  {name}".replace("-", "\N{MINUS SIGN}", int(score < 0))
        right.text(0, 0.9 - 0.19 * place, told, fontsize=13)
    fig.suptitle("A drawing, and the names nearest to it")
    listed = "; ".join(f"{name} {score:.2f}" for name, score in zip(names, scores, strict=True))
    _show(
        fig,
        f"A drawing of 48 by 48 pixels with the five nearest names. {listed}.",
        f"Figure 7. The five nearest names and their scores.\n{listed}.",
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
    ax.set_title("Recall rose with each doubling of the pairs")
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
