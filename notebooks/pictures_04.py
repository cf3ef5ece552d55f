"""The figures of notebook 04: each draws computed results and shows them with text and caption."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullFormatter

import course
import crossmodal_utils as cm

# Letters that can be read at the back of a classroom, while a figure is drawn and shown only.
readable = plt.rc_context({"font.size": 13, "axes.titlesize": 14, "legend.fontsize": 11})


def _axes(*shape, figsize, **options):
    """Return a figure and its axes."""
    return plt.subplots(*shape, figsize=figsize, layout="constrained", **options)


def _ticks(ax, values):
    """Label these values of a logarithmic axis and no others."""
    ax.set_xticks(values, [f"{value:,.0f}" if value >= 1 else f"{value:.0%}" for value in values])
    ax.xaxis.set_minor_formatter(NullFormatter())


def _styles():
    """Return pairs of colour and marker, one after the other."""
    return zip(cm.PALETTE, cm.MARKERS, strict=True)


@readable
def growth(panels):
    """Show seconds on log-log axes with fitted slopes; panels are {label: {name: (x, y)}}."""
    fig, axes = _axes(1, len(panels), figsize=(11, 4.2))
    told = []
    for ax, (label, curves) in zip(axes, panels.items(), strict=True):
        for (name, (x, y)), (colour, marker) in zip(curves.items(), _styles(), strict=False):
            slope = np.polyfit(np.log(x), np.log(y), 1)[0]
            told.append(f"{name}, by {label}: slope {slope:.2f}")
            line = f"{name}, slope {slope:.2f}"
            ax.loglog(x, np.array(y) * 1e3, color=colour, marker=marker, ms=7, lw=2, label=line)
        _ticks(ax, x[:: 2 if max(x) > 1000 else 1])
        ax.set(xlabel=label, ylabel="milliseconds a query")
        ax.grid(alpha=0.3, which="both")
        ax.legend(frameon=False)
    fig.suptitle("Time grows with rows and with columns, and a batch takes less for each query")
    told = "; ".join(told)
    course.show(
        fig,
        f"Two log-log plots of the time of a query. {told}.",
        f"Figure 1. Time of a query on log-log axes. {told}.",
    )


@readable
def ceilings(peak, traffic, points, title, number):
    """Show the two ceilings and where methods stand: {name: (flop per byte, flop per second)}."""
    fig, ax = _axes(figsize=(10, 4.8))
    x = np.geomspace(0.25, 400, 100)
    label = f"ceilings: {traffic / 1e9:.0f} GB/s, {peak / 1e9:.0f} GFLOP/s"
    ax.loglog(x, np.minimum(x * traffic, peak) / 1e9, color=cm.PALETTE[6], lw=2.5, label=label)
    told = []
    for (name, (at, rate)), (colour, marker) in zip(points.items(), _styles(), strict=False):
        share = rate / min(at * traffic, peak)
        told.append(f"{name}: {share:.0%} of its ceiling")
        ax.loglog(at, rate / 1e9, marker, ms=11, color=colour, label=told[-1])
    ax.set(xlabel="work for each byte moved (flop)", ylabel="work done (GFLOP/s)")
    ax.set_title(title)
    ax.grid(alpha=0.3, which="both")
    ax.legend(frameon=False, loc="lower right")
    course.show(
        fig,
        f"Work done against work for each byte moved, under two ceilings. {'; '.join(told)}.",
        f"Figure {number}. The machine's ceilings and what stands under them: {'; '.join(told)}.",
    )


@readable
def group_sizes(sizes, looked_at, best):
    """Show how many numbers a selection looks at, by the size of a group."""
    fig, ax = _axes(figsize=(9, 4))
    ax.loglog(sizes, looked_at, color=cm.PALETTE[0], lw=2.5)
    at = int(np.argmin(looked_at))
    ax.plot(sizes[at], looked_at[at], "D", ms=11, color=cm.PALETTE[1])
    ax.axvline(best, color=cm.PALETTE[6], ls=":", label=r"$\sqrt{n/k}$" + f" = {best:.0f}")
    ax.set(xlabel="scores in a group", ylabel="numbers selected from")
    ax.set_title(f"Groups of about {best:.0f} leave {looked_at[at]:,.0f} numbers of a million")
    ax.grid(alpha=0.3, which="both")
    ax.legend(frameon=False)
    ends = f"{looked_at[0]:,.0f} with groups of {sizes[0]}, {looked_at[-1]:,.0f} of {sizes[-1]:,}"
    course.show(
        fig,
        f"A valley on log-log axes. {ends}; least {looked_at[at]:,.0f} at {sizes[at]}.",
        f"Figure 3. Numbers from which the best are selected: {ends}. The least, "
        f"{looked_at[at]:,.0f}, lies at {sizes[at]}.",
    )


def _front(points):
    """Return the points (cost, recall) that no other beats in both, by cost."""
    front, highest = [], -1.0
    for cost, recall in sorted(points, key=lambda point: (point[0], -point[1])):
        if recall > highest:
            front.append((cost, recall))
            highest = recall
    return front


def _recalls(ax, methods, xlabel):
    """Draw {name: [(cost, recall), ...]} on a logarithmic axis, and the front of them all."""
    for (name, points), (colour, marker) in zip(methods.items(), _styles(), strict=False):
        ax.plot(*np.transpose(points), marker, ms=9, color=colour, label=name)
    front = _front([point for points in methods.values() for point in points])
    ax.plot(*np.transpose(front), color=cm.PALETTE[6], lw=1.2, zorder=0, label="Pareto front")
    ax.set_xscale("log")
    ax.set(xlabel=xlabel, ylabel="recall@10 of the exact result")
    ax.grid(alpha=0.3, which="both")
    ax.legend(frameon=False, loc="lower right")
    return front


@readable
def recall_against_rows(methods, number):
    """Show recall against rows scored: {name: [(rows, recall), ...]}."""
    fig, ax = _axes(figsize=(10, 4.8))
    front = _recalls(ax, methods, "rows scored for a query, of a million")
    cost, recall = next(point for point in front if point[1] >= 0.95)
    ax.set_title(f"{cost:,.0f} of a million rows are enough for a recall of {recall:.2f}")
    told = "; ".join(
        f"{name}: " + ", ".join(f"{r:.2f} at {c / 1000:.1f} thousand" for c, r in points)
        for name, points in methods.items()
    )
    course.show(
        fig,
        f"Recall against rows scored. {told}.",
        f"Figure {number}. Recall@10 against rows scored, photo to text. {told}.",
    )


@readable
def recall_against_speed(methods, number):
    """Show recall against measured queries per second: {name: [(rate, recall), ...]}."""
    fig, ax = _axes(figsize=(10, 4.8))
    seconds = {n: [(1e6 / rate, r) for rate, r in points] for n, points in methods.items()}
    front = _recalls(ax, seconds, "microseconds a query, in batches of 1,000")
    ax.set_title(f"{len(front)} settings are on the front: none is faster and better")
    told = "; ".join(
        f"{name}: " + ", ".join(f"{r:.3f} at {time:,.0f}" for time, r in points)
        for name, points in seconds.items()
    )
    course.show(
        fig,
        f"Recall against microseconds a query. {told}.",
        f"Figure {number}. Recall@10 against microseconds a query, measured here. {told}.",
    )


@readable
def sizes_of_items(kept, number):
    """Show recall against bytes an item, {name: (bytes, recall as is, recall ranked again)}."""
    fig, ax = _axes(figsize=(9, 4.2))
    size, raw, again = np.transpose(list(kept.values()))
    ax.plot(size, raw, "o", ms=10, color=cm.PALETTE[1], label="as the codes tell")
    ax.plot(size, again, "^", ms=10, color=cm.PALETTE[0], label="200 best ranked again")
    for name, at, r in zip(kept, size, raw, strict=True):
        ax.annotate(name, (at, r), (0, -20), textcoords="offset points", ha="center", fontsize=11)
    ax.set_xscale("log", base=2)
    ax.set_xticks(size, [f"{s:.0f}" for s in size])
    ax.set(xlabel="bytes an item", ylabel="recall@10", ylim=(0, 1.05), xlim=(5, 400))
    ax.set_title("Ranking again makes up for coarse codes")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="lower right")
    told = "; ".join(
        f"{n}, {s:.0f} bytes: {a:.3f}, again {b:.4f}" for n, (s, a, b) in kept.items()
    )
    course.show(
        fig,
        f"Recall against bytes an item. {told}.",
        f"Figure {number}. Recall@10 as codes tell, and with the 200 best ranked again. {told}.",
    )


@readable
def against_random(curves, number):
    """Show recall against the share of rows scored: {name: (shares, recalls)}."""
    fig, ax = _axes(figsize=(9, 4.2))
    for (name, (x, y)), (colour, marker) in zip(curves.items(), _styles(), strict=False):
        ax.plot(x, y, color=colour, marker=marker, ms=8, lw=2, label=name)
    ax.set_xscale("log")
    _ticks(ax, [0.02, 0.05, 0.1, 0.2])
    ax.set(xlabel="share of the rows scored", ylabel="recall@10", ylim=(0, 1.03))
    ax.grid(alpha=0.3, which="both")
    ax.legend(frameon=False)
    first = ", ".join(f"{name} {y[0]:.2f}" for name, (_, y) in curves.items())
    ax.set_title(f"Two lists visited: {first}", fontsize=12)
    told = "; ".join(
        f"{name}: " + ", ".join(f"{r:.2f} at {s:.3f}" for s, r in zip(x, y, strict=True))
        for name, (x, y) in curves.items()
    )
    course.show(
        fig,
        f"Recall against the share of rows scored. {told}.",
        f"Figure {number}. Recall@10 by the share of rows scored. {told}.",
    )


@readable
def quality(sizes, measured, laws, n_fitted, number):
    """Show recall by the size of the database: {name: (r, low, high) each (n_sizes,)}, and laws.

    ``laws`` is {name: recalls}; they were fitted on the first n_fitted sizes.
    """
    fig, ax = _axes(figsize=(10, 5))
    for (name, (r, low, high)), (colour, marker) in zip(measured.items(), _styles(), strict=False):
        reach = np.array([r - low, high - r]).clip(0)
        style = {"fmt": marker, "ms": 9, "capsize": 4}
        ax.errorbar(sizes, r, yerr=reach, color=colour, label=name, **style)
        ax.plot(sizes[:n_fitted], laws[name][:n_fitted], color=colour, lw=2)
        ax.plot(sizes[n_fitted - 1 :], laws[name][n_fitted - 1 :], color=colour, lw=2, ls="--")
    ax.set_xscale("log")
    ax.set(xlabel="descriptions in the database", ylabel="recall of the true one", ylim=(0, 1.03))
    ax.set_title("Recall@10 falls more slowly than the law (dashed: predicted)")
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, loc="lower left")
    ends = {n: (r[0], r[-1], laws[n][-1]) for n, (r, *_) in measured.items()}
    told = "; ".join(
        f"{name}: {a:.2f} to {b:.2f}, predicted {c:.2f}" for name, (a, b, c) in ends.items()
    )
    course.show(
        fig,
        f"Recall falls from {sizes[0]:,} to {sizes[-1]:,} descriptions. {told}.",
        f"Figure {number}. Recall of the true description at {sizes[0]:,} and at {sizes[-1]:,}, "
        f"with the law's prediction for the latter. {told}.",
    )
