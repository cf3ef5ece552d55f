"""Figures: `show`, which says in words and numbers what a picture shows, and a few plotters.

A screen reader gets the picture's alternative text; JupyterLab hides that, so the numbers also
stand, folded, under the caption. They are read from what matplotlib drew, so they are those that
the picture shows. A plotter takes computed results and axes, draws, and returns the axes.
"""

import base64
import functools
import html
import io
import re
import warnings

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib import cbook
from matplotlib.category import StrCategoryFormatter
from matplotlib.collections import PathCollection
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.ticker import FixedFormatter

# Okabe and Ito's colours, told apart by colour-blind readers; the marker repeats what they say.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
NUMBERS = "Numbers in this figure"
MAX_ALT, MAX_BYTES, MAX_POINTS, MAX_LINES = 1150, 150_000, 12, 40


# --- plotters -----------------------------------------------------------------------------------


def photos(axes, images, captions=None, edges=None):
    """Show one photo on each of the axes, with a caption under it and a coloured edge."""
    for i, ax in enumerate(np.ravel(axes)):
        ax.set_xticks([])
        ax.set_yticks([])
        ax.imshow(images[i], interpolation="bilinear")
        if captions is not None:
            ax.set_xlabel(captions[i], fontsize=10)
        for spine in ax.spines.values():
            spine.set_color("#bbbbbb" if edges is None else edges[i])
            spine.set_linewidth(0.8 if edges is None else 3)
    return axes


def similarity(ax, S, images, captions):
    """Draw a square matrix of scores with photos down its left side and captions along its top."""
    n = len(S)
    ax.imshow(S, cmap="cividis")
    ax.set_xticks(range(n), captions, rotation=35, ha="left", fontsize=10)
    ax.xaxis.tick_top()
    ax.set_yticks([])
    for i in range(n):
        thumb = ax.inset_axes([-0.98 / n, 1 - (i + 0.98) / n, 0.92 / n, 0.96 / n])
        thumb.imshow(images[i])
        thumb.axis("off")
        for j in range(n):
            ink = "w" if S[i, j] < (S.min() + S.max()) / 2 else "k"
            ax.text(j, i, f"{S[i, j]:.2f}", ha="center", va="center", color=ink)
    return ax


def curves(ax, x, curves, xlabel, ylabel):
    """Draw named curves, ``{name: values}``, each with its own colour and marker."""
    for (name, values), colour, marker in zip(curves.items(), PALETTE, MARKERS, strict=False):
        ax.plot(x[: len(values)], values, color=colour, marker=marker, ms=6, lw=2, label=name)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return ax


def comparison(ax, rows, chance=None, xlabel="recall@1 (share of queries)"):
    """Draw scores with intervals, one line a method: {method: {series: (value, low, high)}}."""
    methods = list(rows)
    series = list(rows[methods[0]])
    for s, name in enumerate(series):
        values = np.array([rows[method][name] for method in methods], dtype=float)
        y = np.arange(len(methods)) + (s - (len(series) - 1) / 2) * 0.26
        reach = np.abs(values[:, 1:] - values[:, :1]).T
        style = {"fmt": MARKERS[s], "ms": 8, "color": PALETTE[s], "capsize": 4}
        ax.errorbar(values[:, 0], y, xerr=reach, label=name, **style)
    if chance is not None:
        ax.axvline(chance, color=PALETTE[6], ls=":", label=f"chance ({chance:g})")
    ax.set_yticks(range(len(methods)), methods)
    ax.invert_yaxis()
    ax.set_xlabel(xlabel)
    ax.grid(axis="x", alpha=0.3)
    ax.legend(frameon=False)
    return ax


# --- showing ------------------------------------------------------------------------------------


def show(fig, caption, numbers=None):
    """Display a figure, its caption of one sentence, and, folded, its numbers; close it.

    Parameters
    ----------
    fig : matplotlib Figure
        A figure without a layout of its own gets a constrained one.
    caption : str
        One sentence: what there is to see.
    numbers : dict, optional
        What the folded list and the alternative text hold, by name, instead of `figure_numbers`;
        ``{**figure_numbers(fig), "more": 3}`` extends them.
    """
    fig = getattr(fig, "figure", fig)
    _tidy(fig)
    found = figure_numbers(fig) if numbers is None else numbers
    lines = [f"{name}: {_said(value)}" for name, value in found.items()]
    png, width = _png(fig)
    seen = {"alt": _alt(_titles(fig), caption, lines), "width": width}
    data = {"image/png": png, "text/plain": "<Figure>"}
    display(data, raw=True, metadata={"image/png": seen})
    plt.close(fig)
    page = f"<p><em>{html.escape(caption, quote=False)}</em></p>"
    text = [caption]
    if lines:
        items = "".join(f"<li>{html.escape(line, quote=False)}</li>" for line in lines)
        page += f"<details><summary>{NUMBERS}</summary><ul>{items}</ul></details>"
        text += [NUMBERS, *(f"- {line}" for line in lines)]
    display({"text/html": page, "text/plain": "\n".join(text)}, raw=True)


def figure_numbers(fig):
    """Return what a figure shows, as a dict of names and readable values.

    Lines, bars, intervals, histograms, scatters, small heat maps, captions of photos and texts
    that hold a number, with three significant digits, read from the figure's own artists.
    """
    axes = [ax for ax in fig.axes if not hasattr(ax, "_colorbar") and ax.get_visible()]
    found = {}
    for place, ax in enumerate(axes, 1):
        kind = "photo" if _is_photo(ax) else "panel"
        panel = _words(_title(ax)) or (f"{kind} {place}" if len(axes) > 1 else "")
        try:
            pairs = list(_read(ax))
        except Exception:  # a picture that nobody foresaw still has its caption
            continue
        for name, value in pairs:
            if len(axes) > 1 or not name:
                name = ", ".join(part for part in (panel, name) if part) or "values"
            same = sum(re.sub(r" \(\d+\)$", "", other) == name for other in found)
            found[f"{name} ({same + 1})" if same else name] = value
    return dict(list(found.items())[:MAX_LINES])


def _tidy(fig):
    """Give a figure a layout, unless its maker did, and take the frame off plain axes."""
    if fig.get_layout_engine() is None and not any(hasattr(ax, "_colorbar") for ax in fig.axes):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # that there is no room, too
                fig.set_layout_engine("constrained")
                fig.draw_without_rendering()
        except Exception:  # better as it was than not at all
            fig.set_layout_engine("none")
    for ax in fig.axes:
        if not ax.images and "top" in ax.spines:
            ax.spines[["top", "right"]].set_visible(False)


def _png(fig):
    """Return a figure as sharp a PNG as fits, and how wide it is on the page, in pixels."""
    for dpi in (150, 120, 100, 84, 70):
        buffer = io.BytesIO()
        fig.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight", facecolor="white")
        png = buffer.getvalue()
        if len(png) <= MAX_BYTES:
            break
    width = int.from_bytes(png[16:20], "big")  # where a PNG's header says so
    return base64.b64encode(png).decode(), min(960, round(width / dpi * 92))


def _alt(titles, caption, lines):
    """Return the alternative text: title, caption, and as many of the numbers as fit."""
    text = ". ".join(part.rstrip(".") for part in [*titles, caption] if part) + "."
    for place, line in enumerate(lines):
        if len(text) + len(line) > MAX_ALT:
            return f"{text} The list under the picture has {len(lines) - place} lines more."
        text += f" {line}."
    return text


# --- reading numbers off a figure ---------------------------------------------------------------


def _titles(fig):
    """Return the figure's title, or that of its only axes."""
    above = fig.get_suptitle() if hasattr(fig, "get_suptitle") else ""
    alone = _title(fig.axes[0]) if fig.axes and (len(fig.axes) == 1 or not above) else ""
    return [_words(text) for text in (above, alone) if text]


def _title(ax):
    """Return the title of axes, wherever it stands."""
    return next((t for place in ("left", "center", "right") if (t := ax.get_title(place))), "")


def _read(ax):
    """Yield pairs of a name and what it shows, for one of the axes."""
    labels = [_words(ax.get_xlabel()), _words(ax.get_ylabel())]
    if _is_photo(ax):
        if any(labels) or _title(ax):
            yield "", " / ".join(part for part in [*labels, *_texts(ax)] if part) or "a photo"
        return
    data = [*_containers(ax), *_lines(ax), *_points(ax), *_maps(ax)]
    if data and any(labels):
        yield "shown", " by ".join(label for label in labels[::-1] if label)
    yield from data
    if not ax.images and (texts := _texts(ax)):
        yield "written in it", "; ".join(texts[:MAX_POINTS])


def _is_photo(ax):
    """Return whether axes hold nothing but photos."""
    greys = ("gray", "gray_r", "grey", "grey_r", "Greys", "Greys_r", "binary", "binary_r")
    pictures = [(np.ma.asarray(i.get_array()), i.get_cmap().name) for i in ax.images]
    return bool(pictures) and all(
        values.ndim == 3 or values.dtype == np.uint8 or name in greys for values, name in pictures
    )


def _lines(ax):
    """Yield what the lines show, those of error bars and connecting ones left out."""
    drawn = set(cbook.flatten(ax.containers))
    lines = [line for line in ax.lines if line not in drawn and len(line.get_xdata())]
    unnamed = sum(not _named(line) for line in lines)
    for line in lines:
        name, x, y = _named(line), _floats(line.get_xdata()), _floats(line.get_ydata())
        if not name and unnamed > 3:
            continue
        if line.get_transform() == ax.get_xaxis_transform():
            yield name, f"a vertical line at {_number(x[0])}"
        elif line.get_transform() == ax.get_yaxis_transform():
            yield name, f"a horizontal line at {_number(y[0])}"
        else:
            yield name, _pairs(_names(ax.xaxis, x), _numbers(y))


def _containers(ax):
    """Yield what bars, histograms and error bars show."""
    for container in ax.containers:
        if isinstance(container, ErrorbarContainer):
            yield _named(container), _intervals(ax, container)
        elif isinstance(container, BarContainer) and len(container):
            named = [name for bar in container if (name := _named(bar))]
            alone = named[0] if len(named) == 1 else ""
            yield _named(container) or alone, _bars(ax, container)


def _named(artist):
    """Return an artist's label, an empty one where matplotlib made one up."""
    label = str(artist.get_label())
    return "" if label.startswith("_") else _words(label)


def _intervals(ax, container):
    """Return values with their low and high ends."""
    line, _, bars = container.lines
    ends = np.array([segment for bar in bars[:1] for segment in bar.get_segments()])
    way = 0 if container.has_xerr else 1  # what was measured lies along x or along y
    if line is None:
        places, values = ends[:, 0, 1 - way], ends[:, :, way].mean(axis=1)
    else:
        data = [_floats(line.get_xdata()), _floats(line.get_ydata())]
        places, values = data[1 - way], data[way]
    names = _names((ax.yaxis, ax.xaxis)[way], places)
    said = [_number(value) for value in values]
    if len(ends) == len(values):
        said = [
            f"{value} ({_number(low)} to {_number(high)})"
            for value, (low, high) in zip(said, ends[:, :, way], strict=True)
        ]
    return _pairs(names, said)


def _bars(ax, container):
    """Return the lengths of bars by name; of many unnamed ones, a histogram's summary."""
    upright = container.orientation != "horizontal"
    low = [bar.get_x() if upright else bar.get_y() for bar in container]
    wide = [bar.get_width() if upright else bar.get_height() for bar in container]
    values = [bar.get_height() if upright else bar.get_width() for bar in container]
    axis = ax.xaxis if upright else ax.yaxis
    if len(values) > MAX_POINTS and not _ticks(axis):
        return _histogram(values, np.append(low, low[-1] + wide[-1]))
    return _pairs(_names(axis, np.add(low, np.divide(wide, 2))), _numbers(values))


def _histogram(values, edges):
    """Return where a histogram lies and where it is highest."""
    values, edges = np.nan_to_num(_floats(values)), _numbers(_floats(edges))
    top, filled = int(values.argmax()), np.flatnonzero(values)
    first, last = (filled[0], filled[-1]) if len(filled) else (0, len(values) - 1)
    middle = int(np.searchsorted(values.cumsum(), values.sum() / 2))
    return (
        f"from {edges[first]} to {edges[last + 1]}, half of it below {edges[middle + 1]}, "
        f"highest ({_number(values[top])}) between {edges[top]} and {edges[top + 1]}"
    )


def _points(ax):
    """Yield what scatters show: few points one by one, many by count and range."""
    scatters = [c for c in ax.collections if isinstance(c, PathCollection)]
    for collection in scatters[:MAX_POINTS]:
        points = np.ma.filled(np.ma.asarray(collection.get_offsets(), dtype=float), np.nan)
        name = _named(collection)
        if 0 < len(points) <= 6:
            yield name, _pairs(_names(ax.xaxis, points[:, 0]), _numbers(points[:, 1]))
        elif len(points):
            ranges = (
                f"{way} from {_number(np.nanmin(v))} to {_number(np.nanmax(v))}"
                for way, v in zip("xy", points.T, strict=True)
            )
            yield name, f"{len(points):,} points, {', '.join(ranges)}"


def _maps(ax):
    """Yield what heat maps show: small ones value by value, large ones by shape and range."""
    meshes = [c for c in ax.collections if hasattr(c, "get_coordinates")]
    for values in (artist.get_array() for artist in [*ax.images, *meshes]):
        if values is None or np.ndim(values) != 2:
            continue
        values = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan)
        rows, columns = values.shape
        if max(values.shape) <= 8:
            across = _names(ax.xaxis, np.arange(columns), otherwise="column {}")  # from 0
            down = _names(ax.yaxis, np.arange(rows), otherwise="row {}")
            for name, row in zip(down, _numbers(values), strict=True):
                yield name, _pairs(across, row)
        else:
            low, high = _number(np.nanmin(values)), _number(np.nanmax(values))
            yield "map", f"{rows} by {columns} values from {low} to {high}"


def _texts(ax):
    """Return the texts written into axes that hold a number."""
    texts = (_words(text.get_text()) for text in ax.texts if text.get_visible())
    return list(dict.fromkeys(text for text in texts if re.search(r"\d", text)))


def _names(axis, places, otherwise="{}"):
    """Return what an axis calls the places: the names of their ticks, or numbers.

    Where ticks stand at each whole number, as for groups of bars, the nearest one names a place.
    """
    ticks = _ticks(axis)
    reach = 0.45 if len(ticks) == 1 or ticks and np.all(np.diff(list(ticks)) == 1) else 1e-9
    names = []
    for place, said in zip(places, _numbers(places), strict=True):
        near = min(ticks, key=lambda tick: abs(tick - place), default=np.inf)
        names.append(ticks[near] if abs(near - place) <= reach else otherwise.format(said))
    return names


def _ticks(axis):
    """Return the ticks of an axis that were given names, as a dict of place and name."""
    formatter = axis.get_major_formatter()
    given = isinstance(getattr(formatter, "func", None), functools.partial)  # by set_xticks
    if not given and not isinstance(formatter, FixedFormatter | StrCategoryFormatter):
        return {}
    places = axis.get_majorticklocs()
    names = (_words(name) for name in formatter.format_ticks(places))
    return {float(place): name for place, name in zip(places, names, strict=True) if name}


def _pairs(names, values):
    """Return names and values as a phrase, at most a dozen evenly chosen ones."""
    chosen = np.unique(np.linspace(0, len(names) - 1, MAX_POINTS).round().astype(int))
    return "; ".join(f"{names[i]}: {values[i]}" for i in chosen)


def _said(value):
    """Return a given value as text: texts as they are, numbers rounded, lists joined."""
    if isinstance(value, str):
        return _words(value)
    if isinstance(value, list | tuple | np.ndarray) and np.ndim(value):
        return ", ".join(_said(v) for v in value)
    return _number(value)


def _floats(values):
    """Return values as an array of floats, what is masked as NaN."""
    return np.ma.filled(np.ma.asarray(values, dtype=float), np.nan).ravel()


def _numbers(values):
    """Return rounded values as an array of texts; what is nothing beside the largest is 0."""
    values = np.asarray(values, dtype=float)
    largest = np.nanmax(np.abs(values[np.isfinite(values)]), initial=0)
    kept = np.where(np.abs(values) < 1e-6 * largest, 0, values)
    return np.array([_number(v) for v in kept.ravel()], dtype=object).reshape(values.shape)


def _number(value):
    """Return a number with three significant digits, a whole one with all."""
    try:
        value = float(value)
    except (TypeError, ValueError):
        return _words(str(value))
    if not np.isfinite(value):
        return "missing" if np.isnan(value) else str(value)
    if value == round(value) and abs(value) < 1e15:
        return f"{value + 0.0:,.0f}"
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 1000 else f"{rounded:.3g}"


def _words(text):
    """Return a text on one line."""
    return " ".join(str(text).split())
