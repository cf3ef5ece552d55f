"""The figures of notebook 06: each draws computed results and shows them with text and caption."""

import matplotlib.pyplot as plt

import course
import crossmodal_utils as cm

# Letters that can be read at the back of a classroom, while a figure is drawn and shown only.
readable = plt.rc_context({"font.size": 13, "axes.titlesize": 15, "legend.fontsize": 12})


@readable
def recall_by_ef(efs, curves):
    """Show recall@10 against ef; curves are {group: {modality: recalls}}, a panel a group."""
    fig, axes = plt.subplots(1, 2, figsize=(11, 4.4), sharey=True, layout="constrained")
    for ax, (group, lines) in zip(axes, curves.items(), strict=True):
        cm.plot_curves(ax, efs, lines, "ef (candidates kept, log scale)", "")
        ax.set_xscale("log", base=2)
        ax.set_xticks(efs, efs)
        ax.axhline(0.99, color=cm.PALETTE[6], ls=":", lw=1.5)
        ax.text(efs[-1], 0.9885, "0.99", color=cm.PALETTE[6], ha="right", va="top")
        ax.set_title(f"Queries of {group}")
    axes[0].set_ylabel("recall@10 against exact search")
    fig.suptitle("Words and photos run together; a missing type costs recall")
    told = "; ".join(
        f"{group}, {name}: " + ", ".join(f"{r:.3f}" for r in recalls)
        for group, lines in curves.items()
        for name, recalls in lines.items()
    )
    at = ", ".join(f"{ef}" for ef in efs)
    course.show(
        fig,
        f"Recall@10 of HNSW against ef, {at}, in two panels with a line a modality. {told}.",
        "Figure 1. The two modalities run together; what costs recall is a type that the "
        f"collection lacks. Recall@10 at ef {at}: {told}.",
    )


@readable
def filtered(bars, share):
    """Show recall@10 under a filter; bars are {way: recall}, those of graphs in their colour."""
    fig, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
    names, values = list(bars), list(bars.values())
    rows = range(len(names))
    is_graph = [name.startswith("HNSW") for name in names]
    ax.barh(rows, values, color=[cm.PALETTE[1 if graph else 0] for graph in is_graph])
    ax.set_yticks(rows, names)
    for row, value in zip(rows, values, strict=True):
        ax.text(value + 0.01, row, f"{value:.3f}", va="center")
    ax.invert_yaxis()
    ax.set(xlim=(0, 1.12), xlabel="recall@10 against exact search among the rows that pass")
    passed = f"a filter that {100 * share:.1f} % of the rows pass"
    ax.set_title(f"{names[0]}: recall {values[0]:.3f} under {passed}", fontsize=14)
    told = "; ".join(f"{name}: {value:.3f}" for name, value in bars.items())
    course.show(
        fig,
        f"Bars of recall@10 under {passed}. {told}.",
        f"Figure 2. Under {passed}, the graph (orange) loses what exact ways (blue) keep. "
        f"Recall@10: {told}.",
    )
