"""The figures of notebook 03: each draws computed results and shows them with text and caption.

A plane is a pair of arrays (n, 2): where n photos lie, and where their descriptions lie.
"""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

import crossmodal_utils as cm
from pictures_02 import GREY, _axes, _marks, _photos, _show, readable

LINES = ("-", "--", ":", "-.")


def _listed(names, values, digits=3):
    """Return names with their values, as a phrase."""
    return ", ".join(f"{n}: {v:.{digits}f}" for n, v in zip(names, values, strict=True))


def _percent(share, digits=1):
    """Return a share in per cent, as text."""
    return f"{100 * share:.{digits}f} %"


def _points(ax, plane, labels, kinds, size=70):
    """Draw photos as discs and descriptions as triangles, a line from each to its own."""
    for kind, colour in zip(kinds, cm.PALETTE, strict=False):
        photos, texts = (points[labels == kind] for points in plane)
        for a, b in zip(photos, texts, strict=True):
            ax.plot(*np.transpose([a, b]), color=colour, lw=1.1, alpha=0.65, zorder=1)
        ax.scatter(*photos.T, s=size, color=colour, edgecolor="w", lw=0.6, zorder=2)
        ax.scatter(*texts.T, s=size, marker="^", facecolor="w", edgecolor=colour, lw=1.6, zorder=3)
    ax.set_aspect("equal")
    ax.grid(alpha=0.2)


def _names(ax, plane, labels, kinds):
    """Write the name of each kind where its points have their centre."""
    for kind, colour in zip(kinds, cm.PALETTE, strict=False):
        centre = np.vstack([points[labels == kind] for points in plane]).mean(axis=0)
        style = {"boxstyle": "round,pad=0.2", "fc": "w", "ec": colour, "alpha": 0.8}
        ax.text(*centre, kind, ha="center", va="center", fontsize=13, bbox=style, zorder=5)


def _shapes(ax, **options):
    """Explain the two shapes and the line."""
    style = {"color": cm.PALETTE[6], "ls": "", "ms": 9}
    photo = Line2D([], [], marker="o", **style, label="photo")
    text = Line2D([], [], marker="^", mfc="w", **style, label="description")
    line = Line2D([], [], color=cm.PALETTE[6], lw=1.2, label="true pair")
    ax.legend(handles=[photo, text, line], frameon=False, **options)


def _axis_names(ax, share):
    """Name both axes, with the share of variance that each holds."""
    ax.set_xlabel(f"first component ({_percent(share[0])} of the variance)")
    ax.set_ylabel(f"second component ({_percent(share[1])})")


def _in_plane(plane):
    """Return the mean distance in the plane of true pairs and of all others."""
    D = np.linalg.norm(plane[0][:, None] - plane[1], axis=2)
    own = np.eye(len(D), dtype=bool)
    return D[own].mean(), D[~own].mean()


@readable
def shared_plane(plane, labels, kinds, share):
    """Show photos and descriptions of several kinds of product in one plane."""
    fig, ax = _axes(figsize=(10, 7.6))
    _points(ax, plane, labels, kinds)
    _names(ax, plane, labels, kinds)
    _shapes(ax, loc="best")
    _axis_names(ax, share)
    own, other = _in_plane(plane)
    ax.set_title("Photos and descriptions share one space: true pairs lie close")
    told = (
        f"mean distance in the plane {own:.2f} for true pairs, {other:.2f} for other pairs; the "
        f"two axes hold {_percent(share.sum(), 0)} of the variance"
    )
    _show(
        fig,
        f"{len(labels)} photos and their descriptions in a plane, each pair joined by a line, of "
        f"{len(kinds)} types: {', '.join(kinds)}. They lie in groups by type; {told}.",
        f"Figure 1. {len(labels)} products of {len(kinds)} types in the plane of the first two "
        f"principal components: {told}.",
    )


@readable
def thumbnails(plane, images, labels, kinds, share):
    """Show the same plane with the photos themselves, in two layers: triangles lie on top."""
    fig, ax = _axes(figsize=(11, 8.4))
    colours = dict(zip(kinds, cm.PALETTE, strict=False))
    for photo, text, image, label in zip(*plane, images, labels, strict=True):
        colour = colours[label]
        ax.plot(*np.transpose([photo, text]), color=colour, lw=1.2, zorder=1)
        ax.plot(*text, "^", ms=9, mfc="w", mec=colour, mew=1.8, zorder=4)
        edge = {"edgecolor": colour, "lw": 1.6}
        small = OffsetImage(image, zoom=0.54, interpolation="bilinear")
        ax.add_artist(AnnotationBbox(small, photo, pad=0.05, bboxprops=edge))
    low, high = np.vstack(plane).min(axis=0) - 0.06, np.vstack(plane).max(axis=0) + 0.06
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    ax.grid(alpha=0.2)
    _axis_names(ax, share)
    ax.set_title("Neighbours are alike: products gather by type in this plane")
    counts = {kind: int((labels == kind).sum()) for kind in kinds}
    told = ", ".join(f"{kind} {n}" for kind, n in counts.items())
    _show(
        fig,
        f"The same plane with {len(images)} of the photos in place of discs, and a line from each "
        f"to the triangle of its description. Photos shown: {told}.",
        f"Figure 2. The same plane, {len(images)} of the products as photos, each tied to its "
        f"description (triangle). Shown: {told}.",
    )


@readable
def encoders(planes, labels, kinds, distances, recalls):
    """Show the same products by several encoders, and the distances of all pairs beneath.

    ``planes`` and ``distances`` are dicts of the encoders' planes and of distances of (true
    pairs, other pairs) in the whole space; ``recalls`` their recall@1.
    """
    fig, axes = _axes(2, len(planes), figsize=(12.8, 8.6), height_ratios=[3, 1.35], sharey="row")
    reach = 1.08 * max(np.abs(points).max() for plane in planes.values() for points in plane)
    bins = np.linspace(0, 2, 61)
    for (upper, lower), (name, plane) in zip(axes.T, planes.items(), strict=True):
        _points(upper, plane, labels, kinds, size=42)
        own, other = distances[name]
        upper.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="first component")
        upper.set(xticks=(-0.5, 0, 0.5), yticks=(-0.5, 0, 0.5))
        told = f"true pairs {own.mean():.2f} apart\nrandom pairs {other.mean():.2f} apart"
        upper.set_title(told, fontsize=15)
        upper.text(0.5, 1.24, name, transform=upper.transAxes, ha="center", weight="bold", size=15)
        for values, colour, hatch in ((other, GREY, ""), (own, cm.PALETTE[1], "//")):
            style = {"histtype": "stepfilled", "alpha": 0.75, "hatch": hatch, "edgecolor": "w"}
            lower.hist(
                values, bins, weights=np.full(len(values), 1 / len(values)), color=colour, **style
            )
        lower.set(xlabel="distance in the whole space", yticks=[])
        lower.set_title(f"right description first\nfor {_percent(recalls[name])}", fontsize=15)
        lower.spines[["left", "right", "top"]].set_visible(False)
    axes[0, 0].set_ylabel("second component")
    axes[1, 0].set_ylabel("share of pairs")
    for y, words, colour in (
        (0.86, "true pairs", cm.PALETTE[1]),
        (0.68, "random pairs", "#666666"),
    ):
        axes[1, 0].text(0.05, y, words, color=colour, transform=axes[1, 0].transAxes, size=15)
    _shapes(axes[0, 0], loc="lower left", fontsize=12, handletextpad=0.2, borderpad=0.1)
    types = [
        Line2D([], [], ls="", marker="o", ms=11, color=colour, label=kind)
        for kind, colour in zip(kinds, cm.PALETTE, strict=False)
    ]
    fig.legend(handles=types, loc="outside lower center", ncol=len(kinds), frameon=False)
    best = list(planes)[-1]
    title = "An encoder works when it pulls true pairs together and leaves the others apart"
    fig.suptitle(title + "\n", fontsize=18)
    told = "; ".join(
        f"{name}: true pairs {own.mean():.2f}, random pairs {other.mean():.2f}, right description "
        f"first {_percent(recalls[name])}"
        for name, (own, other) in distances.items()
    ).replace("\n", " ")
    _show(
        fig,
        f"{len(planes)} planes of the same {len(labels)} products, one for each encoder, with "
        f"histograms of all distances beneath. {told}. Lines between pairs are longest for "
        f"{list(planes)[0]} and shortest for {best}.".replace("\n", " "),
        f"Figure 3. The same products by {len(planes)} encoders, drawn to one scale. Mean "
        f"distances in the whole space: {told} of 1,000 (chance 0.1 %).",
    )


@readable
def hidden(shares, sizes, trust, overlap, chance):
    """Show what the leading components keep: variance, and neighbours, with chance beside."""
    fig, (left, right) = _axes(1, 2, figsize=(13, 5.4))
    n = np.arange(1, len(shares) + 1)
    left.plot(n[:80], np.cumsum(shares)[:80], color=cm.PALETTE[0], lw=2.5)
    left.plot([2], [shares[:2].sum()], "D", ms=11, color=cm.PALETTE[1])
    left.annotate(
        f"two: {shares[:2].sum():.3f}", (2, shares[:2].sum()), (10, -4), textcoords="offset points"
    )
    left.set(xlabel="components kept", ylabel="share of variance", ylim=(0, 1.03))
    left.set_title("Two components hold little")
    right.set_xscale("log", base=2)
    curves = {"trustworthiness": trust, "share of 10 neighbours kept": overlap}
    cm.plot_curves(right, sizes, curves, "components kept", "")
    for (name, value), style in zip(chance.items(), ("--", ":"), strict=True):
        right.axhline(value, color=cm.PALETTE[6], ls=style, label=f"{name}, by chance")
    right.set_xticks(sizes, sizes)
    right.set_ylim(-0.03, 1.03)
    right.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncol=2)
    right.set_title("Neighbours need more than two")
    left.grid(alpha=0.3)
    told = (
        f"trustworthiness {_listed(sizes, trust)}; neighbours kept {_listed(sizes, overlap)}; "
        f"by chance {_listed(chance, chance.values())}"
    )
    _show(
        fig,
        f"Two charts. Left: variance held; two components hold {shares[:2].sum():.3f}. Right, by "
        f"number of components: {told}.",
        f"Figure 4. Two components hold {shares[:2].sum():.3f} of the variance. By components "
        f"kept, {told}.",
    )


@readable
def misled(images, query, in_plane, in_space, ranks):
    """Show a photo, and the products whose descriptions are nearest in the plane and in space."""
    fig, axes = _axes(2, 1 + len(in_space), figsize=(10, 4.4))
    for line, found, name in zip(
        axes, (in_plane, in_space), ("in the plane", "in the space"), strict=True
    ):
        edges, marks = _marks(found == query)
        captions = ["query", *marks]
        _photos(line, images[[query, *found]], captions, [cm.PALETTE[0], *edges])
        line[0].set_ylabel(name)
    fig.suptitle("Its five nearest descriptions, each shown by its product", fontsize=15)
    plane, space = ranks
    _show(
        fig,
        f"One photo with the products of its five nearest descriptions, in the plane and in the "
        f"space. Its own description is number {space} in the space and {plane} in the plane.",
        f"Figure 5. The photo that the plane misleads most: its own description is number {space} "
        f"in the space and number {plane} of {len(images):,} in the plane.",
    )


@readable
def gap_and_noise(gap, noise):
    """Show the measured gap against gaps by chance alone."""
    fig, ax = _axes(figsize=(9, 3.6))
    ax.hist(noise, 30, color=GREY, label="labels exchanged at random")
    ax.axvline(gap, color=cm.PALETTE[1], lw=3, label=f"measured: {gap:.3f}")
    ax.set(xlabel="distance between the two means", ylabel="draws", xlim=(0, None))
    ax.legend(frameon=False, loc="upper left")
    ax.set_title("The gap is tiny, and yet more than chance makes")
    told = (
        f"measured {gap:.3f}; by chance {noise.mean():.3f} on average, {noise.max():.3f} at most"
    )
    _show(
        fig,
        f"A histogram of {len(noise)} gaps by chance, and the measured gap. {told}.",
        f"Figure 6. Distance between the mean photo and the mean description: {told}.",
    )


def _runs(ax, runs, x, y):
    """Draw runs of training as curves of two of their columns, with first and last marked."""
    styles = zip(cm.PALETTE, cm.MARKERS, LINES, strict=False)
    for (temperature, run), (colour, marker, line) in zip(runs.items(), styles, strict=False):
        style = {"color": colour, "ls": line, "marker": marker, "ms": 7, "lw": 2.5}
        ax.plot(run[x], run[y], label=f"temperature {temperature}", **style)
    ax.grid(alpha=0.3)


@readable
def gaps(runs):
    """Show how the gap and recall change during training, by temperature."""
    fig, (left, right) = _axes(1, 2, figsize=(13, 4.6))
    _runs(left, runs, "step", "gap")
    _runs(right, runs, "step", "recall")
    left.set(xlabel="steps of training", ylabel="modality gap", ylim=(0, None))
    left.set_title("Only the low temperature keeps the gap")
    right.set(xlabel="steps of training", ylabel="recall@1", ylim=(0, None))
    right.set_title("Recall on the test part meanwhile")
    left.legend(frameon=False, loc="center right", bbox_to_anchor=(1, 0.4))
    told = "; ".join(
        f"temperature {t}: gap {run['gap'][0]:.2f} to {run['gap'][-1]:.2f}, recall@1 "
        f"{run['recall'][-1]:.3f}"
        for t, run in runs.items()
    )
    _show(
        fig,
        f"Two charts of {len(runs)} runs. Gap and recall@1 by step of training. {told}.",
        f"Figure 7. From one start with a gap, {len(runs)} temperatures. {told}.",
    )


@readable
def alignment_uniformity(runs):
    """Show training as a path through alignment and uniformity."""
    fig, ax = _axes(figsize=(9.5, 5.2))
    _runs(ax, runs, "alignment", "uniformity")
    first = next(iter(runs.values()))
    ax.annotate(
        "all start here",
        (first["alignment"][0], first["uniformity"][0]),
        (-4, 12),
        textcoords="offset points",
    )
    ax.set_xlim(right=1.2 * first["alignment"][0])
    ax.set(
        xlabel="alignment: mean squared distance of true pairs (lower is better)",
        ylabel="uniformity\n(lower is better)",
    )
    ax.legend(frameon=False)
    ax.set_title("The middle temperature gets both: close pairs, an even spread")
    told = "; ".join(
        f"temperature {t}: alignment {run['alignment'][0]:.2f} to {run['alignment'][-1]:.2f}, "
        f"uniformity {run['uniformity'][0]:.2f} to {run['uniformity'][-1]:.2f}"
        for t, run in runs.items()
    )
    _show(
        fig,
        f"Paths of {len(runs)} runs in a plane of alignment and uniformity. {told}.",
        f"Figure 8. Alignment and uniformity on the test part during training. {told}.",
    )


@readable
def readable_attributes(sizes, accuracy, chance):
    """Show how well attributes can be read off the leading components of photos."""
    fig, ax = _axes(figsize=(9.5, 4.8))
    cm.plot_curves(ax, sizes, accuracy, "leading components kept", "accuracy on test photos")
    for value, colour, style in zip(chance.values(), cm.PALETTE, LINES[1:], strict=False):
        ax.axhline(value, color=colour, ls=style, lw=1.6)
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, sizes)
    ax.set_ylim(0, 1.03)
    ax.text(
        sizes[-1], max(chance.values()) + 0.02, "broken lines: most frequent value", ha="right"
    )
    ax.legend(frameon=False, loc="upper left")
    ax.set_title("Pattern comes first; the type hides until after the eighth component")
    told = "; ".join(f"{name} {_listed(sizes, values)}" for name, values in accuracy.items())
    told += f"; chance {_listed(chance, chance.values())}"
    _show(
        fig,
        f"Accuracy of a linear probe by number of leading components. {told}.",
        f"Figure 9. What a linear probe reads off the leading components: {told}.",
    )


@readable
def moves(strengths, shares, chosen, n):
    """Show what moved photos find, by strength; shares are {name: values}."""
    fig, ax = _axes(figsize=(9.5, 4.8))
    styles = zip(cm.PALETTE, cm.MARKERS, LINES, strict=False)
    for (name, values), (colour, marker, line) in zip(shares.items(), styles, strict=False):
        ax.plot(strengths, values, color=colour, marker=marker, ls=line, lw=2.5, ms=8, label=name)
    ax.axvline(chosen, color=cm.PALETTE[6], lw=1, ls=":")
    ax.text(chosen + 0.03, 0.03, "chosen on validation")
    ax.set(xlabel="strength of the move, in lengths of “red minus blue”", ylabel="share of photos")
    ax.set_ylim(0, 1.03)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="center right", bbox_to_anchor=(1, 0.48))
    ax.set_title("A direction learned from words moves the photos of blue products to red ones")
    told = "; ".join(f"{name} {_listed(strengths, values, 2)}" for name, values in shares.items())
    _show(
        fig,
        f"Shares of {n} blue test photos by strength of the move. {told}.",
        f"Figure 10. {n} blue test photos moved, and what they find first, by strength. {told}.",
    )


@readable
def scan(images, queries, pool, found, strengths):
    """Show the first find of a few photos as they move along a direction."""
    fig, axes = _axes(len(queries), 1 + len(strengths), figsize=(10.5, 1.75 * len(queries)))
    for line, query, row in zip(axes, queries, found, strict=True):
        photos = np.concatenate([images[[query]], pool[row]])
        _photos(line, photos, None, [cm.PALETTE[0]] + [GREY] * len(strengths))
    axes[0, 0].set_title("photo", fontsize=13)
    for ax, strength in zip(axes[0, 1:], strengths, strict=True):
        ax.set_title(f"{strength:+g}" if strength else "0", fontsize=13)
    fig.suptitle("From bluer to redder: the nearest other product at each strength", fontsize=15)
    kept = ", ".join(f"{s:+g}" if s else "0" for s in strengths)
    changed = ", ".join(str(len(set(row.tolist()))) for row in found)
    _show(
        fig,
        f"{len(queries)} photos of blue products, and the product that each finds first as it "
        f"moves by {kept} lengths. Different products found in each row: {changed}.",
        f"Figure 11. A scan along “red minus blue”, by {kept} lengths. Different products in "
        f"each row: {changed}.",
    )


@readable
def compression(sizes, recalls):
    """Show recall against the number of components kept."""
    fig, ax = _axes(figsize=(9.5, 4.8))
    cm.plot_curves(
        ax, sizes, recalls, "components kept (4 bytes each)", "recall, mean of both directions"
    )
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, [f"{n}\n{4 * n} B" for n in sizes])
    ax.set_ylim(0, 1.03)
    ax.legend(frameon=False, loc="lower right")
    full = recalls["recall@1"][-1]
    ax.axhline(full, color=cm.PALETTE[6], lw=1, ls=":")
    ax.text(sizes[0], full + 0.02, f"recall@1 with all: {full:.3f}")
    ax.set_title("A quarter of the bytes lose nothing that we can measure")
    told = "; ".join(f"{name} {_listed(sizes, values)}" for name, values in recalls.items())
    _show(
        fig,
        f"Recall by number of components kept, from {sizes[0]} to {sizes[-1]}. {told}.",
        f"Figure 12. Recall among 1,000 by components kept. {told}.",
    )


@readable
def characters(plane, drawn, scripts, shown):
    """Show characters as themselves in a plane, the shown scripts in colour."""
    fig, ax = _axes(figsize=(11, 8.6))
    colours = dict(zip(shown, cm.PALETTE, strict=False))
    for point, character, script in zip(plane, drawn, scripts, strict=True):
        colour = colours.get(script, GREY)
        ax.text(*point, character, color=colour, fontsize=15, ha="center", va="center")
    reach = np.abs(plane).max(axis=0) * 1.06
    ax.set(xlim=(-reach[0], reach[0]), ylim=(-reach[1], reach[1]))
    ax.set(xlabel="first component", ylabel="second component")
    marks = [
        Line2D(
            [],
            [],
            ls="",
            marker="s",
            ms=11,
            color=colour,
            label=f"{name} ({(scripts == name).sum()})",
        )
        for name, colour in colours.items()
    ]
    others = int((~np.isin(scripts, shown)).sum())
    marks.append(Line2D([], [], ls="", marker="s", ms=11, color=GREY, label=f"others ({others})"))
    ax.legend(handles=marks, loc="best", framealpha=0.9)
    ax.set_title("Some scripts gather, others mix: a plane shows a part of the order")
    told = ", ".join(f"{name} {(scripts == name).sum()}" for name in shown)
    _show(
        fig,
        f"{len(drawn)} drawings of characters in a plane, each drawn at its place. Coloured by "
        f"the first word of the name: {told}, others {others}.",
        f"Figure 13. {len(drawn)} characters that training did not see, by their drawings. "
        f"Coloured afterwards: {told}, others {others}.",
    )
