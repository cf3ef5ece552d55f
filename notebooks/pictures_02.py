"""The figures of notebook 02: each draws computed results and shows them with text and caption."""

import io
import textwrap

import matplotlib.pyplot as plt
import numpy as np
import PIL.Image
from IPython.display import Image, display

import course
import crossmodal_utils as cm

GREY = "#bbbbbb"


# Letters that can be read at the back of a classroom, while a figure is drawn and shown only.
readable = plt.rc_context({"font.size": 13, "axes.titlesize": 15, "legend.fontsize": 12})


def _axes(*shape, figsize, **options):
    """Return a figure and its axes."""
    return plt.subplots(*shape, figsize=figsize, layout="constrained", **options)


def _show(fig, alt, caption):
    """Do as course.show does, in 256 colours: a page of photos takes a quarter of the bytes."""
    full, small = io.BytesIO(), io.BytesIO()
    fig.savefig(full, format="png", dpi=100, facecolor="white")
    plt.close(fig)
    picture = PIL.Image.open(full).convert("RGB").quantize(256, dither=PIL.Image.Dither.NONE)
    picture.save(small, format="png", optimize=True)
    display(Image(small.getvalue()), metadata={"image/png": {"alt": alt}})
    course.print_caption(caption)


def _photos(axes, images, captions=None, edges=None):
    """Show photos with captions of a readable size."""
    cm.plot_photos(axes, images, captions, edges)
    for ax in np.ravel(axes):
        ax.xaxis.label.set_size(12)


def _marks(is_right):
    """Return edge colours and symbols of right and wrong results."""
    edges = [cm.PALETTE[2] if right else GREY for right in is_right]
    return edges, ["✓" if right else "✗" for right in is_right]


@readable
def photos_to_texts(catalogue, scores, found):
    """Show the first photos, and the descriptions that each of them found."""
    fig, axes = _axes(len(found), 2, figsize=(12, 6.2), width_ratios=[1, 6.6])
    for query, (left, right) in enumerate(axes):
        _photos([left], catalogue.images[[query]])
        right.axis("off")
        for place, item in enumerate(found[query]):
            mark, colour = ("✓", "#00704f") if item == query else ("✗", cm.PALETTE[6])
            text = textwrap.shorten(catalogue.texts[item], 92)
            line = f"{mark} {scores[query, place]:.2f}  {text}"
            right.text(0, 0.9 - 0.2 * place, line, color=colour, fontsize=13)
    n, n_first = len(found), int((found[:, 0] == np.arange(len(found))).sum())
    fig.suptitle(f"{n_first} of {n} photos find their own description first", fontsize=15)
    best = ", ".join(f"{score:.2f}" for score in scores[:, 0])
    _show(
        fig,
        f"{n} photos, each with its five best descriptions and their scores. {n_first} of {n} "
        f"have their own first. Best scores: {best}.",
        f"Figure 1. Photo to description. {n_first} of the first {n} test photos find their own "
        f"description first (✓). Best scores: {best}.",
    )


@readable
def texts_to_photos(catalogue, queries, scores, found):
    """Show descriptions, and the photos that each of them found."""
    fig, axes = _axes(len(found), 5, figsize=(8.5, 7.8))
    for row, (query, line) in enumerate(zip(queries, axes, strict=True)):
        edges, marks = _marks(found[row] == query)
        marks = [f"{mark} {score:.2f}" for mark, score in zip(marks, scores[row], strict=True)]
        _photos(line, catalogue.images[found[row]], marks, edges)
        line[2].set_title(textwrap.fill(catalogue.texts[query], 82), fontsize=13)
    n, n_first = len(found), int((found[:, 0] == queries).sum())
    best = ", ".join(f"{score:.2f}" for score in scores[:, 0])
    _show(
        fig,
        f"{n} descriptions, each with its five best photos. {n_first} of {n} have their own photo "
        f"first. Best scores: {best}.",
        f"Figure 2. Description to photo. {n_first} of these {n} descriptions find their own "
        f"photo first (✓ and a green edge). Best scores: {best}.",
    )


@readable
def similarity(S, images, captions):
    """Show a square matrix of scores between photos and captions."""
    fig, ax = _axes(figsize=(8.6, 7.8))
    cm.plot_similarity(ax, S, images, captions)
    for text in ax.texts + ax.get_xticklabels():
        text.set_fontsize(12)
    n, n_right = len(S), int((S.argmax(axis=1) == np.arange(len(S))).sum())
    low, high, off = np.diag(S).min(), np.diag(S).max(), (S - 2 * np.eye(n)).max()
    _show(
        fig,
        f"A matrix of {n} photos by {n} captions. Its diagonal runs from {low:.2f} to {high:.2f}; "
        f"the highest score off it is {off:.2f}.",
        f"Figure 3. Scores of {n} photos with {n} captions: {n_right} of {n} rows are highest on "
        f"the diagonal, which runs from {low:.2f} to {high:.2f}. The highest off it: {off:.2f}.",
    )


@readable
def words_to_photos(words, catalogue, scores, found):
    """Show the photos found by words that somebody typed."""
    fig, axes = _axes(1, len(found), figsize=(8.5, 2.4))
    _photos(axes, catalogue.images[found], [f"{score:.2f}" for score in scores])
    fig.suptitle(f"“{words}”", fontsize=15)
    seen = [" ".join(catalogue.attributes[a][i] for a in ("colour", "type")) for i in found]
    _show(
        fig,
        f"{len(found)} photos for the words {words}. The best scores {scores[0]:.2f}.",
        f"Figure 4. The best photos for “{words}”: {', '.join(seen)}.",
    )


@readable
def guess(shown):
    """Show a guess between chance and truth: a mapping of three names to shares."""
    fig, ax = _axes(figsize=(9, 2.6))
    for (name, value), marker, colour in zip(shown.items(), cm.MARKERS, cm.PALETTE, strict=False):
        ax.plot([value], [name], marker=marker, ms=14, color=colour)
        ax.annotate(f"{value:.3f}", (value, name), (12, -5), textcoords="offset points")
    ax.set(xlim=(-0.03, 1.1), ylim=(-0.6, 2.6), xlabel="share of photos with their own text first")
    told = ", ".join(f"{name} {value:.3f}" for name, value in shown.items())
    ax.set_title(f"Measured: {shown['measured'] / shown['chance']:.0f} times chance")
    _show(
        fig,
        f"Three points on a scale from 0 to 1: {told}.",
        f"Figure 5. Recall@1, photo to description: {told}.",
    )


@readable
def comparison(rows, chance, title, number, what):
    """Show scores with intervals; rows are {method: {series: (value, low, high)}}."""
    fig, ax = _axes(figsize=(10, 1.9 + 0.65 * len(rows)))
    cm.plot_comparison(ax, rows, chance=chance)
    ax.set(xlim=(-0.03, 1.02), ylim=(len(rows) - 0.5, -0.5))
    ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1.12), ncol=3, frameon=False)
    ax.set_title(title)
    told = "; ".join(
        f"{method}, {name}: {value:.3f} ({low:.3f} to {high:.3f})"
        for method, series in rows.items()
        for name, (value, low, high) in series.items()
    )
    _show(
        fig,
        f"Recall@1 with 95 % intervals. {told}. Chance {chance:g}.",
        f"Figure {number}. {what} with 95 % intervals. {told}. Chance {chance:g}.",
    )


@readable
def by_size(sizes, recalls):
    """Show recall@1 against the size of the database."""
    fig, ax = _axes(figsize=(9, 3.8))
    cm.plot_curves(ax, sizes, {"our model": recalls}, "items in the database", "recall@1")
    ax.plot(sizes, 1 / np.array(sizes), color=cm.PALETTE[6], ls=":", label="chance")
    ax.set_ylim(0, 1)
    ax.legend(frameon=False)
    ax.set_title("The same model scores less in a larger database")
    told = ", ".join(f"{n}: {r:.3f}" for n, r in zip(sizes, recalls, strict=True))
    _show(
        fig,
        f"Recall@1, photo to description, falls as the database grows. {told}.",
        f"Figure 7. Recall@1 by the number of items in the database. {told}.",
    )


@readable
def confusion(counts, names):
    """Show how often each true colour was given each colour."""
    fig, ax = _axes(figsize=(8, 6.6))
    ax.imshow(counts, cmap="cividis")
    ax.set_xticks(range(len(names)), names, rotation=35, ha="right")
    ax.set_yticks(range(len(names)), names)
    for (i, j), n in np.ndenumerate(counts):
        dark = n < counts.max() / 2
        ax.text(j, i, n, ha="center", va="center", color="w" if dark else "k", fontsize=12)
    ax.set(xlabel="colour given by the nearest prompt", ylabel="true main colour")
    right, total = np.trace(counts), counts.sum()
    ax.set_title(f"{right} of {total} main colours are right")
    off = counts - np.diag(np.diag(counts))
    a, b = np.unravel_index(off.argmax(), off.shape)
    _show(
        fig,
        f"Confusion matrix of {len(names)} colours: {right} of {total} on the diagonal. The "
        f"largest count off it is {off.max()}: true {names[a]}, given {names[b]}.",
        f"Figure 8. True colour against given colour: {right} of {total} agree. Most frequent "
        f"confusion: {names[a]} taken for {names[b]}, {off.max()} times.",
    )


@readable
def targets(catalogue, target, decoy):
    """Show query products with another colour, as target and as decoy."""
    n = len(target["colour"])
    drawn = [cm.draw_products(attributes, random_state=2) for attributes in (target, decoy)]
    fig, axes = _axes(3, n, figsize=(6, 4.9))
    for line, photos, name in zip(
        axes, [catalogue.images[:n], *drawn], ("photo", "target", "decoy"), strict=True
    ):
        _photos(line, photos)
        line[0].set_ylabel(name)
    for ax, colour in zip(axes[0], target["colour"], strict=True):
        ax.set_title(f"but {colour}", fontsize=13)
    rows = zip(catalogue.attributes["colour"][:n], target["colour"], decoy["colour"], strict=True)
    told = "; ".join(f"{a}, target {b}, decoy {c}" for a, b, c in rows)
    _show(
        fig,
        f"{n} products in their own colour, the colour asked for, and a third. {told}.",
        f"Figure 9. The first {n} products with target and decoy: {told}.",
    )


@readable
def composed(catalogue, pool, wanted, best):
    """Show queries of a photo and a colour, with the best photos; target i is item i."""
    n = len(best)
    fig, axes = _axes(n, 5, figsize=(6.6, 1.5 * n))
    for i, line in enumerate(axes):
        edges, marks = _marks(best[i] == i)
        photos = np.concatenate([catalogue.images[[i]], pool[best[i]]])
        _photos(line, photos, [f"but {wanted[i]}", *marks], [GREY, *edges])
    for ax, title in zip(axes[0], ("query", "first", "second", "third", "fourth"), strict=True):
        ax.set_title(title, fontsize=13)
    n_first, asked = int((best[:, 0] == np.arange(n)).sum()), ", ".join(wanted[:n])
    _show(
        fig,
        f"{n} queries of a photo and a colour, each with the four best photos by the sum. The "
        f"target comes first for {n_first} of {n}. Colours asked for: {asked}.",
        f"Figure 11. The first {n} colour queries and what the sum finds: the target (✓) is "
        f"first for {n_first} of {n}. Asked for: {asked}.",
    )


@readable
def atlas(catalogue, drawers, winner):
    """Show the first two failures of each drawer, and the product whose text won."""
    fig, axes = _axes(4, len(drawers), figsize=(1.5 * len(drawers), 6.6))
    for column, (name, photos) in enumerate(drawers.items()):
        axes[0, column].set_title(f"{name}\n({len(photos)})".replace(" ", "\n", 1), fontsize=12)
        for row in range(2):
            pair = axes[2 * row : 2 * row + 2, column]
            if row < len(photos):
                both = catalogue.images[[photos[row], winner[photos[row]]]]
                _photos(pair, both, edges=cm.PALETTE[:2])
            else:
                [ax.axis("off") for ax in pair]
    for ax, label in zip(axes[:, 0], ("asked", "won", "asked", "won"), strict=True):
        ax.set_ylabel(label)
    told = ", ".join(f"{name} {len(photos)}" for name, photos in drawers.items())
    _show(
        fig,
        "The first two failures of each of the largest drawers, photo asked about above, product "
        f"whose description won below. Sizes: {told}.",
        f"Figure 12. The largest drawers: {told}. Blue edge: the photo asked about (“asked”). "
        "Orange edge: the product whose description won (“won”).",
    )


@readable
def occurrences(counted, skewness):
    """Show histograms of how often items are found; return what was told of each."""
    fig, ax = _axes(figsize=(9, 3.9))
    edges = np.arange(0, max(counts.max() for counts in counted.values()) + 2) - 0.5
    told, styles = [], zip(cm.PALETTE, ("-", "--", ":"), strict=False)
    for (name, counts), (colour, style) in zip(counted.items(), styles, strict=True):
        told.append(f"{name}: largest {counts.max()}, skewness {skewness(counts):.2f}")
        ax.hist(counts, edges, histtype="step", lw=2.5, color=colour, ls=style, label=told[-1])
    ax.legend(frameon=False)
    ax.set(xlabel="$N_{10}$: photos that have the item among their first ten", ylabel="items")
    most = next(iter(counted.values())).max()
    ax.set_title(f"Hardly a hub: no item is found by more than {most} photos")
    told = "; ".join(told)
    _show(
        fig,
        f"Histograms of how often an item is among the first ten. {told}.",
        f"Figure 13. How often an item is found, mean 10 for each. {told}.",
    )


@readable
def hub(catalogue, item, found_by, kind):
    """Show an item that is found often, and photos that found it."""
    some = found_by[:6]
    fig, axes = _axes(1, 1 + len(some), figsize=(9, 1.9))
    edges = [cm.PALETTE[1]] + [GREY] * len(some)
    _photos(axes, catalogue.images[[item, *some]], ["the item", *(f"{i}" for i in some)], edges)
    alike = int((kind[some] == kind[item]).sum())
    _show(
        fig,
        f"The product found most, by {len(found_by)} photos, and the first {len(some)} of these; "
        f"{alike} of them are of its type, {kind[item]}.",
        f"Figure 14. The item found most, by {len(found_by)} photos ({kind[item]}, orange edge), "
        f"and the first {len(some)} of these; {alike} of them are of its type.",
    )


@readable
def risks(curves, point, risk_of_all):
    """Show risk against coverage; curves are {signal: (coverage, risk)}."""
    fig, ax = _axes(figsize=(9, 4.4))
    for (name, (x, y)), colour, style in zip(
        curves.items(), cm.PALETTE, ("--", "-"), strict=False
    ):
        ax.plot(x[19:], y[19:], color=colour, ls=style, lw=2.5, label=f"by {name}")
    ax.plot(*point, "D", ms=11, color=cm.PALETTE[2], label="threshold from validation")
    ax.set(xlabel="coverage: share of queries answered", ylabel="risk: share of answers wrong")
    ax.set_ylim(0, None)
    ax.legend(frameon=False)
    ax.grid(alpha=0.3)
    half = {name: y[len(y) // 2 - 1] for name, (x, y) in curves.items()}
    ax.set_title(f"Answering the surest half: risk {half['margin']:.3f} by margin")
    told = ", ".join(f"{risk:.3f} by {name}" for name, risk in half.items())
    at = f"coverage {point[0]:.3f}, risk {point[1]:.3f}"
    _show(
        fig,
        f"Risk against coverage on test. At a coverage of one half the risk is {told}; at full "
        f"coverage {risk_of_all:.3f}. At the threshold: {at}.",
        f"Figure 15. Risk and coverage on test. Half answered: risk {told}. All answered: "
        f"{risk_of_all:.3f}. At the threshold: {at}.",
    )
