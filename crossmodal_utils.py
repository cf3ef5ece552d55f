"""Cross-modal retrieval: photos find their descriptions, and descriptions their photos.

The notebooks write each idea out in small steps. One item per row: ``X`` are image features (n,
d_image), ``Y`` text features (n, d_text), ``E`` embeddings (n, d) of unit length, ``S`` scores
(n_queries, n_items). Rows of equal ``groups`` are one item, such as captions of one picture.
"""

import collections.abc
import concurrent.futures
import contextlib
import csv
import functools
import hashlib
import json
import math
import numbers
import os
import pathlib
import re
import threading
import unicodedata
import urllib.parse
import uuid
import warnings

import numpy as np
import scipy
import threadpoolctl
from PIL import Image, ImageOps, UnidentifiedImageError
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.metrics import label_ranking_average_precision_score
from sklearn.preprocessing import normalize
from sklearn.utils import check_array, check_consistent_length, check_scalar
from sklearn.utils.validation import check_is_fitted

# --- Data ---------------------------------------------------------------------------------------
NO_VALUE = ("", "nan", "nat", "none", "null", "na", "n/a", "<na>", "#n/a", "\\n")  # casefolded
PANDAS = "or by pandas: load_catalogue(pandas.read_csv(path, sep=..., encoding=...), folder=...)"


class Catalogue:
    """Rows of one image and one text each; ``catalogue[index]`` is a Catalogue of some rows.

    ``images`` is uint8 (n, height, width, 3), ``texts`` n str, ``attributes`` a dict of n values
    each. Rows of equal ``groups``, kept as int (n,), are one item; a row without one is its own.
    ``skipped`` lists what `load_catalogue` left out.
    """

    def __init__(self, images, texts, attributes=None, groups=None):
        self.images, self.texts = np.asarray(images), check_texts(texts)
        self.attributes = {name: np.atleast_1d(rows) for name, rows in (attributes or {}).items()}
        kind, shape = self.images.dtype, self.images.shape
        if kind != np.uint8 or len(shape) != 4 or shape[3] != 3:
            raise ValueError(f"images must be uint8 (n, height, width, 3); {kind} {shape} came")
        for name, rows in {"texts": self.texts, **self.attributes}.items():
            if (n := len(rows)) != len(self):
                raise ValueError(f"{name} must have one row per image; {n} came for {len(self)}")
        self.groups, self.skipped = group_numbers(groups, len(self)), []

    def __len__(self):
        return len(self.images)

    def __repr__(self):
        return f"Catalogue({len(self)} rows of {len(np.unique(self.groups))} items)"

    def __getitem__(self, index):
        """Return a Catalogue of the chosen rows; nothing in it is shared with this one."""
        rows = np.atleast_1d(np.arange(len(self))[index if np.size(index) else slice(0)])
        attributes = {name: values[rows] for name, values in self.attributes.items()}
        texts = [self.texts[i] for i in rows]
        return Catalogue(self.images[rows], texts, attributes, self.groups[rows])

    def split(self, *, validation, test, random_state, groups=None):
        """Return (train, validation, test) Catalogues of these many rows, the rest in train.

        No group is torn apart and no row dropped: a printed line says where a part stays smaller.
        ``groups`` (n,) keeps larger groups together, such as blocks of article numbers.
        """
        labels = joined_groups(self.groups, group_numbers(groups, len(self)))
        sizes, room = np.bincount(labels).tolist(), {"test": test, "validation": validation}
        for name, size in room.items():
            check_scalar(size, name, numbers.Integral, min_val=0)
        part = np.full(len(sizes), "train", dtype=object)
        for group in np.random.default_rng(random_state).permutation(len(sizes)):
            if fits := [name for name, left in room.items() if sizes[group] <= left]:
                part[group], room[fits[0]] = fits[0], room[fits[0]] - sizes[group]
        found = {name: self[part[labels] == name] for name in ("train", "validation", "test")}
        told = f"{len(self)} rows in {len(sizes)} groups of up to {max(sizes)}"
        if any(not len(part) and room.get(name, 1) for name, part in found.items()):
            raise ValueError(f"validation={validation}, test={test} cannot be cut from {told}")
        if sum(room.values()):
            print(f"split: {room} rows fewer than asked, to keep whole {told}")
        return tuple(found.values())


def group_numbers(groups, n_rows):
    """Return int (n_rows,), equal where ``groups`` are; a missing value is a group of its own."""
    values = list(range(n_rows) if groups is None else groups)
    if len(values) != n_rows:
        raise ValueError(f"groups must have one value per row; {len(values)} came for {n_rows}")
    values = [value.strip() if isinstance(value, str) else value for value in values]
    seen, own = {}, [object() if str(v).casefold() in NO_VALUE else v for v in values]
    return np.array([seen.setdefault(value, len(seen)) for value in own], dtype=int)


def joined_groups(*labels):
    """Return int (n,): the finest groups that keep rows together which any of the labels joins."""
    n = len(labels[0])
    firsts = [first[places] for _, first, places in (np.unique(x, True, True) for x in labels)]
    ends = np.tile(np.arange(n), len(labels)), np.concatenate(firsts)
    links = scipy.sparse.coo_array((np.ones(len(ends[0])), ends), (n, n))
    return scipy.sparse.csgraph.connected_components(links, directed=False)[1]


def check_texts(texts):
    """Return texts as a list of str; TypeError unless they are a sequence of str."""
    is_table = isinstance(texts, str | collections.abc.Mapping | collections.abc.Set)
    if is_table or getattr(texts, "ndim", 1) != 1 or not hasattr(texts, "__len__"):
        raise TypeError(f"texts must be a list of str, or one column; {type(texts).__name__} came")
    for row, text in enumerate(texts := list(texts)):
        if not isinstance(text, str):
            raise TypeError(f"texts must be str; row {row} is {type(text).__name__} {text!r:.40}")
    return texts


def load_catalogue(
    table,
    *,
    image_column="image",
    text_column="text",
    group_column=None,
    folder=None,
    on_error="raise",
    size=64,
):
    """Return a Catalogue of the pictures and texts that a table names.

    ``table`` is the path of a plain CSV file (UTF-8, commas, a header, one row a line), or a dict
    or DataFrame of columns. Pictures are arrays, Pillow images, or paths in ``folder``, by default
    the CSV file's own or the working directory, brought to ``size`` by `as_photos`. Rows of one
    value in ``group_column``, or of the same pixels, are one item. Bad rows "raise" a ValueError
    that names them, or with ``on_error="skip"`` are counted in print and listed in ``skipped``.
    """
    check_scalar(size, "size", numbers.Integral, min_val=16)
    if on_error not in ("raise", "skip"):
        raise ValueError(f'on_error must be "raise" or "skip"; {on_error!r} came')
    is_file = isinstance(table, str | os.PathLike)
    path = pathlib.Path(table if is_file else "table")
    names, records = _read_csv(path) if is_file else _read_mapping(table)
    for column in filter(None, (image_column, text_column, group_column)):
        if column not in names:
            told = f"{path.name} has no column {column!r}, it has {names!r:.300}"
            raise ValueError(f"{told}; pass image_column and text_column, {PANDAS}")
    folder, listed = pathlib.Path(folder or path.parent), functools.cache(_list_files)
    find = functools.partial(_find_picture, folder=folder, listed=listed)
    images, rows, bad = _read_rows(records, names, text_column, image_column, find, size)
    if bad:
        _tell_bad_rows(path.name, bad, len(rows), on_error)
    values = {c: np.fromiter((row[c] for row in rows), object) for c in names if c}
    same = group_numbers([hashlib.sha256(photo).digest() for photo in images], len(images))
    groups = joined_groups(same, group_numbers(values.get(group_column), len(images)))
    if (n_items := len(np.unique(groups))) < len(images):
        print(f"{len(images):,} rows are {n_items:,} items (same picture or group)")
    catalogue = Catalogue(images, [*map(str.strip, values.pop(text_column))], values, groups)
    catalogue.skipped = bad
    return catalogue


def _read_csv(path):  # the names of its columns, and (place, line) of its rows
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is no CSV file in UTF-8; save it so, {PANDAS}") from error
    lines = [(f"line {i}", line) for i, line in enumerate(text.split("\n"), 1) if line]
    del lines[: int(text.startswith("sep="))]  # Excel's mark
    if len(lines) < 2:
        raise ValueError(f"{path.name} is no CSV file with a header and rows, {PANDAS}")
    names = [name.strip() for name in _fields(lines.pop(0)[1], f"{path.name}, header: ")]
    if len({*filter(None, names)}) < len([*filter(None, names)]):
        raise ValueError(f"{path.name} has columns of one name: {names!r:.300}; rename one")
    return names, lines


def _fields(line, where=""):  # read by itself: an open quote swallows no other row
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        told = f"{error} in {line!r:.40} (does a quote never close, or a text run over lines?)"
        raise ValueError(f"{where}cannot be read: {told}; mend it, {PANDAS}") from error


def _read_mapping(table):  # the names of its columns, and (place, values) of its rows
    names = list(table.columns if hasattr(table, "columns") else getattr(table, "keys", list)())
    columns = [list(table[name]) for name in names]
    if len(lengths := {len(column) for column in columns}) != 1 or 0 in lengths:
        came = f"{type(table).__name__} of {sorted(lengths)} rows came"
        raise ValueError(f"table must be a path, or a mapping of columns of one length; {came}")
    return names, [(f"row {i}", row) for i, row in enumerate(zip(*columns, strict=True))]


def _read_rows(records, names, text_column, image_column, find, size):
    """Return the images and the rows, as dicts, that are good, and (place, reason) of the bad."""
    images, rows, bad = np.empty((len(records), size, size, 3), dtype=np.uint8), [], []
    for i, (place, record) in enumerate(records, 1):
        try:
            fields = _fields(record) if isinstance(record, str) else record
            if (n := len(fields)) != len(names):
                raise ValueError(f"wrong number of fields: {n}, the header has {len(names)}")
            row = dict(zip(names, fields, strict=True))
            text, picture = row[text_column], row[image_column]
            if not isinstance(text, str) or "\0" in text or text.strip().casefold() in NO_VALUE:
                raise ValueError(f"no text: {text!r:.60}")
            is_name = isinstance(picture, str | os.PathLike | int | float)
            images[len(rows)] = _fit(find(picture) if is_name else picture, size)
            rows.append(row)
        except (TypeError, ValueError) as error:
            bad.append((place, str(error)))
        if i % 2000 == 0:
            print(f"{i:,} of {len(records):,} rows read", flush=True)
    return images[: len(rows)], rows, bad


def _tell_bad_rows(name, bad, n_good, on_error):  # in print, or ValueError with the first 20
    kinds = collections.Counter(why.partition(":")[0] for _, why in bad).most_common()
    counts = ", ".join(f"{n:,} {kind}" for kind, n in kinds)
    told = f"{len(bad):,} of {len(bad) + n_good:,} rows"
    if on_error == "skip" and n_good:
        print(f"{told} skipped ({counts})")
        return
    advice = 'mend them, or pass on_error="skip"' if n_good else "no row is good"
    lines = [f"{place}: {why}" for place, why in bad[:20]]
    lines += [f"and {len(bad) - 20} more"] * (len(bad) > 20)
    raise ValueError("\n  ".join([f"{name}: {told} are bad ({counts}); {advice}", *lines]))


def _find_picture(name, folder, listed):  # the path of a file; ValueError, with a hint, if none
    if (name := str(name).strip()).casefold() in NO_VALUE:
        raise ValueError("no image")
    if re.match(r"(?i)\W*([a-z][a-z\d+.-]+://|www\.)|//|data:", name):
        raise ValueError(f"a web address, to be downloaded first: {name!r:.80}")
    path = folder / name.replace("\\", "/")
    if os.path.isfile(path):  # a pipe is none: one would wait for it
        return path
    kind = "a folder, not a file" if os.path.isdir(path) else "no such file"
    files = listed(path.parent)
    near = files.get(_bare(path.name)) or files.get(_bare(path.stem))
    hint = f" (there is {near!r})" if near else ""
    if re.search(r"[|;]|, ", path.name):
        hint = " (several pictures in one field? Give each a row of its own)"
    raise ValueError(f"{kind}: {name!r:.80}{hint}")


def _bare(name):  # without what differs between systems
    return _plain(urllib.parse.unquote(name))


def _list_files(folder):  # {bare name, with its ending and without: name}, if it can be read
    with contextlib.suppress(OSError):
        files = sorted(folder.iterdir(), reverse=True)
        return {_bare(name): file.name for file in files for name in (file.stem, file.name)}
    return {}


def as_photos(images, size):
    """Return images as uint8 (n, size, size, 3), resized to fit and padded to a square.

    ``images`` is uint8 (n, height, width, 3), grey (n, height, width), or a list of arrays, Pillow
    images of any mode, or paths. They are turned upright by their EXIF mark, laid on white and
    padded by the median of their top and bottom rows. Arrays of the right size are not copied.
    """
    shape, kind = getattr(images, "shape", ()), type(images).__name__
    is_one = isinstance(images, Image.Image | str | os.PathLike) or not hasattr(images, "__len__")
    if is_one or len(shape) == 2 or (len(shape) == 3 and shape[2] == 3):
        told = f"images must be an array (n, height, width, 3) or a list of pictures; {kind} came"
        raise (ValueError if shape else TypeError)(f"{told}: put one in a list, [image]")
    if len(images) == 0:
        raise ValueError("images is empty; at least one image is needed")
    if shape[1:] == (size, size, 3) and images.dtype == np.uint8:
        return images
    photos = np.empty((len(images), size, size, 3), dtype=np.uint8)
    for row, image in enumerate(images):
        try:
            photos[row] = _fit(image, size)
        except (TypeError, ValueError) as error:
            raise type(error)(f"image {row}: {error}") from error
    return photos


def _fit(image, size):  # a path, an array or a Pillow image as uint8 (size, size, 3), padded
    image = _open(image, size) if isinstance(image, str | os.PathLike) else _rgb(image)
    border = np.asarray(image)[[0, -1]].reshape(-1, 3)
    colour = tuple(np.median(border, axis=0).astype(int).tolist())
    small = [max(1, round(n / max(image.size) * size)) for n in image.size]  # a line stays one
    image = image.resize(small, Image.Resampling.BICUBIC)
    return np.asarray(ImageOps.pad(image, (size, size), color=colour))


def _open(path, size):  # as a Pillow image in RGB; ValueError says why it is none
    try:
        with warnings.catch_warnings(action="ignore"):  # on oddities that Pillow copes with
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                if opened.format == "EPS":  # a program, which Ghostscript may run for ever
                    raise ValueError("an EPS file, save it as PNG")
                opened.draft(None, (3 * size, 3 * size))  # large JPEGs come smaller, and sooner
                return _rgb(opened)
    except Exception as error:  # a damaged file can fail a decoder in any way
        why = getattr(error, "strerror", None) or error
        why = "of no known format" if isinstance(error, UnidentifiedImageError) else why
        told = f"not a picture that can be read: {os.path.basename(path)!r:.80} ({why})"
        raise ValueError(told[:280]) from error


def _rgb(image):  # an array or a Pillow image of any mode, upright and in RGB
    if not isinstance(image, Image.Image):
        array = np.asarray(image)
        if array.dtype != np.uint8:
            raise TypeError(f"pixels must be uint8, 0 to 255; {array.dtype} came: convert first")
        if array.ndim not in (2, 3) or array.shape[2:] not in ((), (1,), (3,)):
            raise ValueError(f"an image must have shape (height, width, 3); {array.shape} came")
        image = Image.fromarray(array[..., 0] if array.shape[2:] == (1,) else array)
    if 0 in image.size:
        raise ValueError(f"an image must have pixels; one of {image.size} came")
    image = ImageOps.exif_transpose(image)
    if image.mode[0] in "IF":  # Pillow would cut these off at 255 and show white
        pixels = np.asarray(image)
        tops = (1, 255) if image.mode[0] == "F" else (255, 4095, 65535)  # 8, 12 or 16 bits
        low, high = pixels.min(), pixels.max()
        if not (tops := [top for top in tops if 0 <= low and high <= top]):
            raise ValueError(f"pixels from {low:g} to {high:g} are of no known range: save 8 bits")
        image = Image.fromarray(np.rint(pixels * (255 / tops[0])).astype(np.uint8))
    if not image.has_transparency_data:
        return image.convert("RGB")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")


# --- Features: a photo and a text each become one row of numbers ---------------------------------
class ImageFeatures(TransformerMixin, BaseEstimator):
    """Turn photos into rows of numbers: edges and colours, see `image_views`, then PCA.

    Each view is scaled to one total variance. Photos are brought to ``size`` pixels, 16 or more,
    best a multiple of 8; at most 10,000, evenly chosen, are learned from. ``random_state`` seeds
    the PCA. Fitted, it has ``mean_`` (d,) and ``components_`` (at most n_components, d).
    """

    def __init__(self, *, n_components=600, size=64, random_state=0):
        self.n_components = n_components
        self.size = size
        self.random_state = random_state

    def fit(self, images, y=None):
        """Learn the principal axes of training photos (n, height, width, 3)."""
        self.fit_transform(images)
        return self

    def fit_transform(self, images, y=None):
        """Fit on photos and return their rows, float64 (n, n_features)."""
        check_scalar(self.n_components, "n_components", numbers.Integral, min_val=1)
        check_scalar(self.size, "size", numbers.Integral, min_val=16)
        photos = as_photos(images, self.size)
        if len(photos) < 2:
            raise ValueError(f"at least 2 photos are needed to fit; {len(photos)} came")
        some = photos[np.linspace(0, len(photos) - 1, min(len(photos), 10_000)).astype(int)]
        batches, scaled, scales = _in_batches(image_views, some), [], []
        for name in list(batches[0]):
            view = np.concatenate([batch.pop(name) for batch in batches])
            scale = np.sqrt(np.square(view - view.mean(axis=0)).sum(axis=1).mean()) or 1.0
            scales += [scale] * view.shape[1]
            scaled.append(view / scale)
        n = min(self.n_components, len(scales), len(some) - 1)
        pca = PCA(n, svd_solver="randomized", iterated_power=2, random_state=self.random_state)
        with np.errstate(invalid="ignore"):  # photos all alike explain 0 of a variance of 0
            X = pca.fit_transform(np.hstack(scaled).astype(float))
        self.mean_, self.components_ = pca.mean_ * scales, pca.components_ / scales
        return X if len(some) == len(photos) else self.transform(photos)

    def transform(self, images):
        """Return the rows of photos, float64 (n, n_features)."""
        check_is_fitted(self, "components_")

        def rows(photos):
            return (np.hstack([*image_views(photos).values()]) - self.mean_) @ self.components_.T

        return np.concatenate(_in_batches(rows, as_photos(images, self.size)))


def _in_batches(function, photos):  # two at a time: NumPy lets threads work
    batches = [photos[i : i + 128] for i in range(0, len(photos), 128)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, batches))


def image_views(photos):
    """Return four raw views {name: float (n, d)} of uint8 photos (n, size, size, 3)."""
    x = photos / np.float32(255)
    border = np.concatenate([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], axis=1)
    backdrop = np.median(border, axis=1)[:, None, None]  # what differs from it is the product
    boxes = _bounding_boxes((np.abs(x - backdrop) > 0.08).any(axis=3))
    cut = {"size": (48, 48), "resample": Image.Resampling.BILINEAR}
    crops = [Image.fromarray(p).resize(box=b, **cut) for p, b in zip(photos, boxes, strict=True)]
    product = np.stack([np.asarray(crop) for crop in crops]) / np.float32(255)
    half = product[:, ::2, ::2]
    cover = np.clip(np.abs(half - backdrop).max(axis=3) / 0.08 - 0.5, 0, 1)
    return {
        "edges of the photo": edge_directions(x, 8),
        "edges of the product": edge_directions(product, 6),
        "colours": colour_histograms(half, cover, grid=3, bins=6),
        "fine colours": colour_histograms(half, cover, grid=1, bins=10),
    }


def _bounding_boxes(mask):  # [left, top, right, bottom] of what is True, less stray pixels
    limits = []
    for axis in (1, 2):
        count = np.cumsum(mask.sum(axis=axis), axis=1)
        share = count / np.maximum(count[:, -1:], 1)
        low = (share < 0.005).sum(axis=1)
        high = np.minimum((share < 0.995).sum(axis=1) + 1, mask.shape[1])
        empty = high - low < 4  # nothing stands out: take the whole photo
        limits.append((np.where(empty, 0, low), np.where(empty, mask.shape[1], high)))
    (left, right), (top, bottom) = limits
    return np.stack([left, top, right, bottom], axis=1).tolist()


def edge_directions(x, cell, n_directions=8):
    """Return how strong edges of each direction are in each cell, (n, n_cells * n_directions).

    ``x`` is float (n, side, side, 3), a cell has cell x cell pixels. Each is divided by its
    neighbours, so that faint edges count as well (after Dalal and Triggs, CVPR 2005).
    """
    down, right = np.zeros_like(x), np.zeros_like(x)
    down[:, 1:-1] = x[:, 2:] - x[:, :-2]
    right[:, :, 1:-1] = x[:, :, 2:] - x[:, :, :-2]
    channel = (np.square(down) + np.square(right)).argmax(axis=3)[..., None]
    down, right = (np.take_along_axis(g, channel, axis=3)[..., 0] for g in (down, right))
    length, n, side = np.hypot(down, right) + 1e-3, len(x), x.shape[1] // cell
    turns = []
    for angle in (math.pi * i / n_directions for i in range(n_directions)):
        along = (right * math.cos(angle) + down * math.sin(angle)) / length
        along = np.square(np.square(along)) * length  # many times as fast as along**4
        along = along[:, : side * cell, : side * cell].reshape(n, side, cell, side, cell)
        turns.append(along.mean(axis=(2, 4)))
    cells = np.stack(turns, axis=3)  # (n, side, side, 8)
    energy = np.pad(np.square(cells).sum(axis=3), ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = sum(energy[:, i : i + side, j : j + side] for i in range(3) for j in range(3)) / 9
    return np.sqrt(cells / np.sqrt(around + 1e-3)[..., None]).reshape(n, -1)


def colour_histograms(x, cover, grid, bins):
    """Return the square root of colour histograms, (n, grid**2 * bins**3), in cells of a grid.

    ``x`` is float (n, side, side, 3) from 0 to 1, ``cover`` (n, side, side) how much each pixel
    counts. A pixel is shared in proportion among the nearest bins of each colour channel.
    """
    n, step = len(x), x.shape[1] // grid
    shares = np.maximum(1 - np.abs(x[..., None] * (bins - 1) - np.arange(bins, dtype=x.dtype)), 0)
    shares = shares.reshape(n, grid, step, grid, step, 3, bins).swapaxes(2, 3)
    cover = cover.reshape(n, grid, step, grid, step, 1).swapaxes(2, 3)
    red, green, blue = np.moveaxis(shares, 5, 0).reshape(3, n, grid**2, step**2, bins)
    red = red * cover.reshape(n, grid**2, step**2, 1)
    pairs = red[..., :, None] * green[..., None, :]  # (n, cells, pixels, bins, bins)
    table = (pairs.reshape(n, grid**2, step**2, -1).swapaxes(2, 3) @ blue).reshape(n, -1)
    return np.sqrt(table / np.maximum(table.sum(axis=1, keepdims=True), 1e-9))


class TextFeatures(TransformerMixin, BaseEstimator):
    """Turn texts into rows of numbers: words and word pairs, and the letters in words.

    Two views, weighted by rarity (TF-IDF), compressed by SVD to at most ``n_components`` numbers
    and scaled to one total variance. ``ngrams`` are the shortest and longest run of words,
    ``letters`` of letters in a word, its ends included, or None. What only one training text holds
    is left out. ``random_state`` seeds the SVD. Fitted, it has ``views_``: "words" and "letters".
    """

    def __init__(self, *, n_components=600, ngrams=(1, 2), letters=(2, 4), random_state=0):
        self.n_components = n_components
        self.ngrams = ngrams
        self.letters = letters
        self.random_state = random_state

    def fit(self, texts, y=None):
        """Learn vocabulary, weights and axes from training texts (list of str)."""
        check_scalar(self.n_components, "n_components", numbers.Integral, min_val=1)
        self.views_ = {"words": self._learn(*_count(check_texts(texts), self.ngrams))}
        if self.letters is not None:
            counts, words = _count(texts)
            runs, terms = _count(words, self.letters, analyzer="char_wb")
            self.views_["letters"] = self._learn(counts @ runs, terms)
        for view, rows in zip(self.views_.values(), self._rows(texts), strict=True):
            view["mean"] = rows.mean(axis=0)
            view["scale"] = np.sqrt(np.square(rows - view["mean"]).sum(axis=1).mean()) or 1.0
        return self

    def transform(self, texts):
        """Return the rows of texts, float64 (n, n_features); warn if some hold no term."""
        check_is_fitted(self, "views_")
        rows = self._rows(check_texts(texts))
        if unknown := np.mean(~np.any([part.any(axis=1) for part in rows], axis=0)):
            told = f"{unknown:.1%} of the texts hold no known word or letters"
            warnings.warn(told, stacklevel=2)
        views = zip(rows, self.views_.values(), strict=True)
        return np.hstack([(part - view["mean"]) / view["scale"] for part, view in views])

    def _learn(self, counts, terms):  # a view's terms, and their weights times the SVD's axes
        frequency = np.asarray((counts > 0).sum(axis=0)).ravel()
        keep = frequency >= min(2, counts.shape[0])
        if (n := keep.sum()) < 2:
            raise ValueError(f"at least 2 words must occur in two texts or more; {n} do")
        tfidf = TfidfTransformer()
        weighted = tfidf.fit_transform(counts[:, keep])
        k = min(self.n_components, *(max(1, side - 1) for side in weighted.shape))
        with np.errstate(invalid="ignore"):  # texts all alike explain 0 of a variance of 0
            svd = TruncatedSVD(k, random_state=self.random_state).fit(weighted)
        return {"terms": terms[keep], "table": tfidf.idf_[:, None] * svd.components_.T}

    def _rows(self, texts):  # an array a view, rows of unit length, or zeros: nothing known
        words, letters = self.views_["words"], self.views_.get("letters")
        rows = [normalize(_count(texts, self.ngrams, words["terms"])[0] @ words["table"])]
        if letters:
            counts, found = _count(texts)
            runs, _ = _count(found, self.letters, letters["terms"], analyzer="char_wb")
            rows.append(normalize(counts @ (runs @ letters["table"])))
        return rows


def _count(texts, runs=(1, 1), terms=None, analyzer="word"):
    """Return counts (n, n_terms), sparse, and what was counted: ``terms``, or else all runs."""
    if len(texts) == 0:
        raise ValueError("texts is empty; at least one text is needed")
    options = {"analyzer": analyzer, "ngram_range": tuple(runs), "vocabulary": terms}
    options["token_pattern"] = _word_pattern() if analyzer == "word" else None
    counter = CountVectorizer(preprocessor=_plain, dtype=float, **options)
    counts = counter.fit_transform([*texts, "a " * runs[0]])  # as texts without terms are refused
    return counts[:-1], counter.get_feature_names_out().astype(str) if terms is None else terms


def _plain(text):  # without what only the writing differs in: case, the form of accents
    return unicodedata.normalize("NFC", text).casefold()


@functools.cache
def _word_pattern():  # letters with their combining marks, or one digit
    marks = "".join(chr(i) for i in range(0x20000) if unicodedata.category(chr(i))[0] == "M")
    # (?![ -~]) only saves time: no mark is ASCII, and most characters are.
    return rf"[^\W\d_]+(?:(?![ -~])[{marks}]+[^\W\d_]*)*|\d"


# --- Alignment: from two feature spaces into one shared space ------------------------------------
def check_matrix(X, name, n_columns=None, *, keep_single=False):
    """Return X, finite and of n_columns, as float64 (n, d); float32 with ``keep_single`` stays."""
    X = check_array(X, dtype=[np.float64, np.float32] if keep_single else float, input_name=name)
    if n_columns is not None and X.shape[1] != n_columns:
        raise ValueError(f"{name} must have {n_columns} columns; {X.shape[1]} came")
    return X


def whitening(X, shrinkage):
    """Return mean (d,) and W (d, rank): with shrinkage 0, (X - mean) @ W has covariance I.

    ``shrinkage``, in units of the mean variance, is added to each eigenvalue of the covariance of
    X (n, d): noise is not blown up. 0 drops directions of under 1e-10 of the largest variance.
    """
    mean = X.mean(axis=0)
    Xc = X - mean
    if np.abs(Xc).max() <= 1e-14 * np.abs(X).max():
        raise ValueError("features must vary; all rows that came are equal")
    values, axes = np.linalg.eigh(Xc.T @ Xc / len(X))
    if shrinkage > 0:
        scale = np.sqrt(np.maximum(values, 0) + shrinkage * values.mean())
        return mean, axes / scale @ axes.T
    keep = values > 1e-10 * values.max()
    return mean, axes[:, keep] * _signs(axes[:, keep]) / np.sqrt(values[keep])


def _signs(P):  # of each column's largest entry; times these, P is the same on every machine
    return np.sign(P[np.abs(P).argmax(axis=0), np.arange(P.shape[1])])


def canonical_directions(A, B):
    """Return directions P (d_image, k), Q (d_text, k), k the smaller width, and correlations."""
    P, correlations, Qt = np.linalg.svd(A.T @ B / len(A), full_matrices=False)
    signs = _signs(P)
    return P * signs, Qt.T * signs, np.clip(correlations, 0, 1)


class CCA(BaseEstimator):
    """Canonical correlation analysis in closed form (Hotelling, Biometrika 1936).

    The shared space has at most ``n_components`` dimensions, each weighted by its correlation to
    the ``weight_power``. ``regularization``, one number or (image, text), is the shrinkage of
    `whitening`; 0 is classical CCA. Fitted, it has ``correlations_`` (n_components,) and
    ``image_``, ``text_``: dicts with mean (d,), whiten (d, rank) and linear (rank, n_components).
    """

    def __init__(self, n_components=400, *, regularization=(0.1, 1.0), weight_power=2.0):
        self.n_components = n_components
        self.regularization = regularization
        self.weight_power = weight_power

    def fit(self, X_image, X_text):
        """Align pairs: row i of X_image (n, d_image) belongs to row i of X_text (n, d_text)."""
        check_scalar(self.n_components, "n_components", numbers.Integral, min_val=1)
        check_scalar(self.weight_power, "weight_power", numbers.Real, min_val=0)
        X, Y = check_matrix(X_image, "image features"), check_matrix(X_text, "text features")
        check_consistent_length(X, Y)
        shrinkage = np.atleast_1d(self.regularization)
        if shrinkage.shape not in ((1,), (2,)) or not (shrinkage >= 0).all():  # NaN is not
            raise ValueError(f"regularization must be 1 or 2 numbers >= 0; {shrinkage} came")
        (mean, W), (other, V) = whitening(X, shrinkage[0]), whitening(Y, shrinkage[-1])
        P, Q, correlations = canonical_directions((X - mean) @ W, (Y - other) @ V)
        self.correlations_ = correlations[: self.n_components]
        weights = self.correlations_**self.weight_power
        self.image_ = {"mean": mean, "whiten": W, "linear": P[:, : len(weights)] * weights}
        self.text_ = {"mean": other, "whiten": V, "linear": Q[:, : len(weights)] * weights}
        return self

    def transform_image(self, X):
        """Return unit embeddings float64 (n, n_components) of image features (n, d_image)."""
        return self._embed(X, "image")

    def transform_text(self, Y):
        """Return unit embeddings float64 (n, n_components) of text features (n, d_text)."""
        return self._embed(Y, "text")

    def _embed(self, X, side):
        check_is_fitted(self, "image_")
        maps = getattr(self, f"{side}_")
        X = check_matrix(X, f"{side} features", n_columns=len(maps["mean"])) - maps["mean"]
        return normalize(np.linalg.multi_dot([X, maps["whiten"], maps["linear"]]))


def info_nce(E_image, E_text, temperature, targets=None):
    """Return the symmetric InfoNCE loss of a batch of pairs, in nats, and two gradients (n, d).

    Row i of E_image belongs to row i of E_text, both (n, d) of unit length. ``targets`` (n, n), by
    default the identity, are the shares of probability that a row's true matches should get.
    After Oord, Li and Vinyals (2018), symmetric as in CLIP (Radford et al., ICML 2021).
    """
    n = len(E_image)
    T = np.eye(n) if targets is None else targets
    S = E_image @ E_text.T / temperature  # (n, n)
    loss, G = 0.0, np.zeros_like(S)
    for axis in (1, 0):  # each photo among the texts, each text among the photos
        log_P = scipy.special.log_softmax(S, axis=axis)
        loss -= (T * log_P).sum() / (2 * n)
        G += (np.exp(log_P) - T) / (2 * n * temperature)
    return float(loss), G @ E_text, G.T @ E_image


def tower_gradient(X, W, grad_E):
    """Return a loss's gradient by W (d_in, d) from grad_E (n, d), by unit rows of X @ W."""
    Z = X @ W
    length = np.maximum(np.linalg.norm(Z, axis=1, keepdims=True), 1e-12)
    E = Z / length
    # Only the part of the gradient across E turns it; the part along E is lost in normalising.
    return X.T @ ((grad_E - E * (E * grad_E).sum(axis=1, keepdims=True)) / length)


class ContrastiveAligner(CCA):
    """Two linear towers trained with InfoNCE: gradients by hand, Adam, warm-up and cosine decay.

    Training starts where `CCA` ends, or with ``start="random"`` from random weights. It takes
    ``epochs`` passes over the pairs, in batches of about ``batch_size``, or ends after
    ``patience`` passes without a better loss of validation pairs. Fitted, it has ``loss_`` and
    ``validation_loss_`` (epochs,), in nats, and ``image_``, ``text_`` of ``best_epoch_``, from 1.
    """

    weight_power = 1.0  # of the CCA that training starts from

    def __init__(
        self,
        *,
        n_components=256,
        temperature=0.15,
        regularization=(0.3, 1.0),
        batch_size=512,
        epochs=15,
        learning_rate=1e-3,
        start="cca",
        patience=4,
        random_state=0,
    ):
        self.n_components = n_components
        self.temperature = temperature
        self.regularization = regularization
        self.batch_size = batch_size
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.start = start
        self.patience = patience
        self.random_state = random_state

    def fit(self, X_image, X_text, *, validation=None, groups=None):
        """Train on pairs (n, d_image), (n, d_text); early stopping if validation pairs are given.

        Rows of equal ``groups`` or texts are no negatives; ``validation`` is (X, Y[, groups]).
        """
        if self.start not in ("cca", "random"):
            raise ValueError(f'start must be "cca" or "random"; {self.start!r} came')
        for name in ("batch_size", "epochs", "n_components", "patience"):
            check_scalar(getattr(self, name), name, numbers.Integral, min_val=1)
        for name in ("temperature", "learning_rate"):
            check_scalar(getattr(self, name), name, numbers.Real, min_val=1e-9)
        rng = np.random.default_rng(self.random_state)
        sides = self._start(X_image, X_text, rng)
        labels, best, state = _same_items(X_text, groups), np.inf, {"steps": 0}
        if validation:
            self._validation_loss(*validation)  # checks them before time is spent
        self.loss_, self.validation_loss_ = [], []
        for epoch in range(1, self.epochs + 1):
            self.loss_.append(self._epoch(sides, labels, rng.permutation(len(labels)), state))
            if validation:
                self.validation_loss_.append(self._validation_loss(*validation))
            loss = (self.validation_loss_ or self.loss_)[-1]
            if not math.isfinite(loss):
                raise ValueError("training diverged; choose a smaller learning_rate")
            if loss < best or not validation:
                best, self.best_epoch_, kept = loss, epoch, (dict(self.image_), dict(self.text_))
            if epoch - self.best_epoch_ >= self.patience:
                break
        self.image_, self.text_ = kept
        self.loss_, self.validation_loss_ = np.array(self.loss_), np.array(self.validation_loss_)
        return self

    def _start(self, X_image, X_text, rng):  # sets the maps; returns whitened features and maps
        super().fit(X_image, X_text)
        sides = (np.asarray(X_image, float), self.image_), (np.asarray(X_text, float), self.text_)
        if self.start == "random":
            for _, maps in sides:
                rank, k = maps["linear"].shape
                maps["linear"] = rng.normal(0, rank**-0.5, (rank, k))
        return [((X - maps["mean"]) @ maps["whiten"], maps) for X, maps in sides]

    def _validation_loss(self, X, Y, groups=None):  # all pairs in one batch
        check_consistent_length(X, Y)
        E = self.transform_image(X), self.transform_text(Y)
        return info_nce(*E, self.temperature, _targets(_same_items(Y, groups)))[0]

    def _epoch(self, sides, labels, order, state):  # a step of Adam a batch; returns the mean loss
        losses, n_batches = [], max(1, round(len(order) / self.batch_size))
        for rows in np.array_split(order, n_batches):
            state["steps"] = steps = state["steps"] + 1
            progress = steps / (self.epochs * n_batches)
            decay = (1 + math.cos(math.pi * progress)) / 2
            rate = self.learning_rate * min(1, progress / 0.05) * decay
            E = [normalize(X[rows] @ maps["linear"]) for X, maps in sides]
            loss, *grads = info_nce(*E, self.temperature, _targets(labels[rows]))
            losses.append(loss)
            for i, ((X, maps), grad_E) in enumerate(zip(sides, grads, strict=True)):
                gradient = tower_gradient(X[rows], maps["linear"], grad_E)
                first, second = state.get(i, (0.0, 0.0))
                first = 0.9 * first + 0.1 * gradient
                second = 0.99 * second + 0.01 * np.square(gradient)
                state[i] = first, second
                change = first / (1 - 0.9**steps) / (np.sqrt(second / (1 - 0.99**steps)) + 1e-8)
                maps["linear"] = maps["linear"] - rate * change
        return float(np.mean(losses))


def _same_items(Y, groups):  # int (n,), equal where rows are of one group or have equal features
    equal = np.unique(np.asarray(Y, dtype=float), axis=0, return_inverse=True)[1].ravel()
    return equal if groups is None else joined_groups(equal, group_numbers(groups, len(equal)))


def _targets(labels):  # for `info_nce`, (n, n), of rows with these labels (n,)
    same = (labels[:, None] == labels) * 1.0
    return same / same.sum(axis=1, keepdims=True)


# --- Model ---------------------------------------------------------------------------------------
class CrossModalModel(BaseEstimator):
    """Photos and descriptions in one shared space, where a pair lies close together.

    ``objective`` is "contrastive", "cca" or "combined", which adds the scores of the other two and
    corrects for hubs: an item's closeness to its nearest ``hub_neighbours`` training items of the
    other kind is taken off its scores, by default 10 for "combined", 0 for the others. Parts not
    given are `ImageFeatures`, `TextFeatures`, `CCA` (for "combined" of more shrinkage) and
    `ContrastiveAligner` of this ``random_state``; features need fit_transform and transform. It
    has ``image_features_``, ``text_features_``, ``aligners_`` and ``bank_``: these items' rows.
    """

    def __init__(
        self,
        *,
        objective="contrastive",
        image_features=None,
        text_features=None,
        cca=None,
        contrastive=None,
        hub_neighbours=None,
        random_state=0,
    ):
        self.objective = objective
        self.image_features = image_features
        self.text_features = text_features
        self.cca = cca
        self.contrastive = contrastive
        self.hub_neighbours = hub_neighbours
        self.random_state = random_state

    def fit(self, images, texts, *, validation=None, groups=None):
        """Fit features and aligners on pairs: image i belongs to text i.

        Rows of equal ``groups`` are no negatives; ``validation`` is (images, texts[, groups]).
        """
        self._n_neighbours()  # checks the options before time is spent
        check_consistent_length(images, check_texts(texts))
        image = self._part(self.image_features, ImageFeatures)
        text = self._part(self.text_features, TextFeatures)
        X, Y = image.fit_transform(images), text.fit_transform(texts)
        if validation:
            images, texts, *rest = validation
            validation = image.transform(images), text.transform(texts), *rest
        return self.fit_aligners(X, Y, image, text, validation=validation, groups=groups)

    def fit_aligners(
        self, X, Y, image_features=None, text_features=None, *, validation=None, groups=None
    ):
        """Fit only the aligners, on rows (n, d); fitted featurisers, if given, are kept."""
        aligners, n_neighbours = [], self._n_neighbours()
        if self.objective != "contrastive":
            shrinkage = {"regularization": (0.3, 3.0)} if self.objective == "combined" else {}
            aligners.append((CCA(**shrinkage) if self.cca is None else clone(self.cca)).fit(X, Y))
        if self.objective != "cca":
            aligner = self._part(self.contrastive, ContrastiveAligner)
            aligners.append(aligner.fit(X, Y, validation=validation, groups=groups))
        # Only now, as fitting the aligners can fail.
        self.image_features_, self.text_features_ = image_features, text_features
        self.aligners_, self.bank_ = aligners, {}
        if n_neighbours:
            some = np.linspace(0, len(X) - 1, min(len(X), 4000)).astype(int)
            X, Y = np.asarray(X)[some], np.asarray(Y)[some]
            rows = self.encode_features(X, "image"), self.encode_features(Y, "text")
            self.bank_ = {"text": rows[0], "image": rows[1]}  # each side meets the other's
        return self

    def _n_neighbours(self):  # of the correction for hubs, or 0; checks the options
        defaults = {"contrastive": 0, "cca": 0, "combined": 10}
        if self.objective not in defaults:
            raise ValueError(f"objective must be one of {[*defaults]}; {self.objective!r} came")
        n = defaults[self.objective] if self.hub_neighbours is None else self.hub_neighbours
        return check_scalar(n, "hub_neighbours", numbers.Integral, min_val=0)

    def _part(self, given, kind):  # an unfitted copy of what was given, or one of this kind
        return kind(random_state=self.random_state) if given is None else clone(given)

    def encode_image(self, images):
        """Return embeddings of photos, float32 (n, d), rows of unit length."""
        return self.encode_features(self._features("image").transform(images), "image")

    def encode_text(self, texts):
        """Return embeddings of texts, float32 (n, d), rows of unit length."""
        return self.encode_features(self._features("text").transform(texts), "text")

    def _features(self, side):  # the fitted featuriser of a side; ValueError if there is none
        check_is_fitted(self, "aligners_")
        if (features := getattr(self, f"{side}_features_")) is None:
            raise ValueError(f"this model was fitted without {side} features: encode_features")
        return features

    def encode_features(self, X, side):
        """Return embeddings, float32 (n, d), of feature rows; ``side`` is "image" or "text"."""
        check_is_fitted(self, "aligners_")
        if side not in ("image", "text"):
            raise ValueError(f'side must be "image" or "text"; {side!r} came')
        rows = [getattr(aligner, f"transform_{side}")(X) for aligner in self.aligners_]
        E = np.hstack(rows) / math.sqrt(len(rows))
        if self.bank_:
            E = _with_hub_penalty(E, self.bank_[side], self._n_neighbours(), side == "image")
        return E.astype(np.float32)

    def retrieve(self, images, text_database, k=1):
        """Return, for each image, its k best of a list of str or an index, best first."""
        if hasattr(text_database, "search"):
            return text_database.items(text_database.search(self.encode_image(images), k)[1])
        texts = check_texts(text_database)
        found = exact_top_k(self.encode_image(images), self.encode_text(texts), k)[1]
        return [[texts[i] for i in row] for row in found]

    def retrieve_description(self, image, text_database):
        """Return the one description that fits one image (height, width, 3) best: a str."""
        return self.retrieve([image], text_database)[0][0]

    def save(self, path):
        """Write the model to one file by skops, without pickle; a crash leaves the old file."""
        check_is_fitted(self, "aligners_")
        import skops.io  # here, because it takes longer to import than all the rest

        _replace_file(path, lambda file: skops.io.dump(self, file))

    @classmethod
    def load(cls, path, *, trusted=()):
        """Read what `save` wrote, else ValueError; ``trusted``: further types, "module.Class"."""
        import skops.io

        # The last is numbers only, and not trusted in models with parts of an old scikit-learn.
        kinds = cls, ImageFeatures, TextFeatures, CCA, ContrastiveAligner, scipy.sparse.csr_matrix
        names = [f"{kind.__module__}.{kind.__name__}" for kind in kinds]
        content = pathlib.Path(path).read_bytes()
        try:
            model = skops.io.loads(content, trusted=[*names, *trusted])  # raises for other types
            if not isinstance(model, cls):
                raise TypeError(f"it holds a {type(model).__name__}")
            check_is_fitted(model, "aligners_")
        except Exception as error:  # a foreign file can fail zip, JSON or skops in any way
            raise ValueError(f"{path} is not a whole model file: {error}") from error
        return model


def _with_hub_penalty(E, bank, n_neighbours, is_image):
    """Append coordinates that take each item's closeness to the bank off its scores.

    With r the mean of an item's largest scores in the bank, inner products of an image's row and a
    text's become (score - r_image / 2 - r_text / 2) / 2.25 (CSLS, Conneau et al., ICLR 2018).
    """
    k, bank = min(n_neighbours, len(bank)), bank.T.astype(float)
    blocks = (E[start : start + 4096] @ bank for start in range(0, len(E), 4096))
    r = np.concatenate([np.partition(S, -k, axis=1)[:, -k:].mean(axis=1) for S in blocks])
    pad = np.sqrt(np.maximum(0.25 - np.square(r) / 4, 0))  # |r| <= 1, up to rounding
    one, none = np.ones(len(E)), np.zeros(len(E))  # pad meets none: it only makes unit rows
    extra = (-r / 2, one, pad, none) if is_image else (one, -r / 2, none, pad)
    return np.column_stack([E, *extra]) / 1.5


def _replace_file(path, write):  # a new file is written, flushed to disk, then renamed to path
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(temporary, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def retrieve_description(image, text_database, model):
    """Return the one description in the database that fits one image (height, width, 3) best."""
    return model.retrieve_description(image, text_database)


# --- Search --------------------------------------------------------------------------------------
BLOCK = 1024  # rows of the database scored at a time: a block and its scores fit the cache
GROUP = 64  # rows of which only the largest score is kept
_TURN = threading.Lock()  # two searches must not set and restore BLAS's threads at a time


def exact_top_k(queries, database, k):
    """Return the k items of largest inner product with each query, best first.

    ``queries`` is (n_queries, d), ``database`` (n_items, d), perhaps memory-mapped. Returns scores
    and indices (n_queries, k) as a full sort would, up to the order of equal scores. A scan keeps
    each small group's largest score; the k best items lie in the k groups where it is largest.
    """
    queries = check_matrix(queries, "queries", keep_single=True)
    if getattr(database, "dtype", None) != np.float32 or np.ndim(database) != 2:
        database = check_matrix(database, "database", keep_single=True)
    if queries.shape[1] != database.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} columns and items {database.shape[1]}")
    check_scalar(k, "k", numbers.Integral, min_val=1, max_val=len(database))
    size = max(1, min(GROUP, len(database) // (4 * k)))
    found = []
    step = max(1, min(256, 2**26 // (k * size * queries.shape[1])))  # to bound the memory
    for start in range(0, len(queries), step):
        some = queries[start : start + step]
        maxima = np.ascontiguousarray(_group_maxima(some, database, size).T)
        groups = np.argpartition(-maxima, min(k, maxima.shape[1]) - 1, axis=1)[:, :k]
        groups.sort(axis=1)
        items = (groups[:, :, None] * size + np.arange(size)).reshape(len(some), -1)
        opened = database[np.minimum(items, len(database) - 1)]
        S = (opened @ some[:, :, None])[:, :, 0]
        S[items >= len(database)] = -np.inf  # the last group may not be full
        order = np.argsort(-S, axis=1, kind="stable")[:, :k]  # equal scores in order of index
        found.append([np.take_along_axis(part, order, axis=1) for part in (S, items)])
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _group_maxima(queries, database, size):  # of ``size`` items each, (n_groups, n_queries)
    columns = np.ascontiguousarray(queries.T)
    step = size * max(1, BLOCK * max(1, 256 // len(queries)) // size)

    def scan(start):
        with np.errstate(over="ignore", invalid="ignore"):  # told below
            S = database[start : start + step] @ columns
        if len(S) % size:  # the last group is filled up
            S = np.pad(S, ((0, -len(S) % size), (0, 0)), constant_values=-np.inf)
        return S.reshape(-1, size, len(queries)).max(axis=1)

    # BLAS on one thread, several blocks at a time: NumPy's maximum then uses all cores as well.
    with _TURN:
        blas = threadpoolctl.ThreadpoolController().select(user_api="blas")
        n_threads = max((library["num_threads"] for library in blas.info()), default=1)
        with blas.limit(limits=1), concurrent.futures.ThreadPoolExecutor(n_threads) as pool:
            maxima = np.concatenate(list(pool.map(scan, range(0, len(database), step))))
    if not np.isfinite(maxima).all():
        check_matrix(database, "database", keep_single=True)
        raise ValueError("scores are too large: scale the rows of both matrices")
    return maxima


class EmbeddingIndex:
    """Embeddings and the str that each stands for, searched exactly and kept in a folder.

    Threads may share an index. A loaded one holds ids and items in memory; its rows are mapped and
    read block by block, until `add` or `remove` brings them in, too. What was not saved is lost,
    and of two that save to one folder the last wins: for more use an engine (notebook 08).
    """

    def __init__(self):
        self._lock, self._parts, self._next_id = threading.RLock(), [], 0

    def __len__(self):
        return sum(len(ids) for ids, _, _ in self._parts)

    def add(self, E, items):
        """Add rows of E (n, d) as float32, a str each; return new ids, int64 (n,)."""
        E = check_array(E, dtype=np.float32, order="C", copy=True, input_name="E")
        items = np.array(check_texts(items), dtype=object)
        check_consistent_length(E, items)
        with self._lock:
            if self._parts:
                check_matrix(E, "E", self._parts[0][1].shape[1], keep_single=True)
            ids = np.arange(self._next_id, self._next_id + len(E), dtype=np.int64)
            self._parts, self._next_id = [*self._parts, (ids, E, items)], ids[-1] + 1
        return ids

    def _arrays(self):  # ids (n,), rows (n, d) and items (n,)
        with self._lock:
            if len(self) == 0:
                raise ValueError("the index is empty; add rows first")
            if len(self._parts) > 1:
                self._parts = [tuple(map(np.concatenate, zip(*self._parts, strict=True)))]
            return self._parts[0]

    def remove(self, ids):
        """Remove rows; ValueError, and nothing is removed, if one of the ids is unknown."""
        with self._lock:
            arrays = self._arrays()
            keep = np.ones(len(self), dtype=bool)
            keep[_places(arrays[0], ids)] = False
            self._parts = [tuple(array[keep] for array in arrays)]

    def search(self, Q, k):
        """Return scores and ids (n_queries, k), as `exact_top_k` on the rows, in float32."""
        ids, rows, _ = self._arrays()
        Q = check_matrix(Q, "Q", rows.shape[1]).astype(np.float32)
        scores, places = exact_top_k(Q, rows, k)
        return scores, ids[places]

    def items(self, ids):
        """Return the items of ids, an array of any shape, as nested lists of str."""
        own, _, items = self._arrays()
        return items[_places(own, ids), ...].tolist()

    def save(self, folder):
        """Write the index to a folder; a crash leaves the old state there, or the new one."""
        with self._lock:
            (ids, rows, items), next_id = self._arrays(), int(self._next_id)
        rest = json.dumps([next_id, ids.tolist(), items.tolist()]).encode()
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        old = sorted(folder.glob("index-*.npy"))
        path = folder / f"index-{int(old[-1].stem[6:]) + 1 if old else 0:09}.npy"
        _replace_file(path, lambda file: (np.save(file, rows), file.write(rest)))
        for path in [*old, *folder.glob(".index-*")]:
            with contextlib.suppress(OSError):  # Windows keeps files that are still mapped
                path.unlink()

    @classmethod
    def load(cls, folder):
        """Open the index saved last, its rows mapped; ValueError if the folder has none."""
        index = cls()
        try:
            path = sorted(pathlib.Path(folder).glob("index-*.npy"))[-1]
            rows = np.lib.format.open_memmap(path, mode="r")
            with open(path, "rb") as file:
                file.seek(rows.offset + rows.nbytes)
                index._next_id, ids, items = json.load(file)
            check_consistent_length(rows, ids, items)
        except (OSError, ValueError, TypeError, IndexError) as error:
            raise ValueError(f"{folder} holds no whole index: {error}") from error
        index._parts = [(np.array(ids, np.int64), rows, np.array(items, dtype=object))]
        return index


def _places(own, ids):  # of ids among an index's own, ascending ones
    ids = np.asarray(ids)
    places = np.minimum(np.searchsorted(own, ids), len(own) - 1)
    unknown = ids[own[places] != ids]
    if unknown.size:
        raise ValueError(f"{unknown.size} unknown or removed ids, such as {unknown.flat[0]}")
    return places


# --- Evaluation ----------------------------------------------------------------------------------
def same_text(query_texts, item_texts):
    """Return bool (n_queries, n_items): whether the two texts are equal, so that both are hits."""
    queries, items = check_texts(query_texts), check_texts(item_texts)
    labels = np.unique(np.array(queries + items, dtype=object), return_inverse=True)[1]
    return labels[: len(queries), None] == labels[len(queries) :]


def true_ranks(scores, relevant=None):
    """Return the rank of each query's best relevant item, from 1; ties count against it.

    ``scores`` is (n_queries, n_items), larger is better; NaN and infinity are refused.
    ``relevant``, bool of that shape, says which items are right; by default item i for query i.
    """
    S = check_matrix(scores, "scores")
    relevant = np.eye(*S.shape, dtype=bool) if relevant is None else np.asarray(relevant)
    if relevant.shape != S.shape or relevant.dtype != bool:
        came = f"{relevant.dtype} {relevant.shape} came"
        raise ValueError(f"relevant must be bool {S.shape}; {came}")
    if not (has_any := relevant.any(axis=1)).all():
        raise ValueError(f"each query needs a relevant item; query {has_any.argmin()} has none")
    best = np.where(relevant, S, -np.inf).max(axis=1, keepdims=True)
    return 1 + ((S >= best) & ~relevant).sum(axis=1)


def recall_at_k(ranks, k):
    """Return the share of queries whose true item is among the first k, from ranks (n,) from 1."""
    ranks = np.asarray(ranks)
    if ranks.ndim != 1 or len(ranks) == 0 or not (ranks >= 1).all():
        raise ValueError("ranks must be a non-empty vector of numbers from 1")
    return float(np.mean(ranks <= k))


def summarize(ranks):
    """Return the usual measures of ranks (n,) from 1: r1, r5, r10, mrr, median_rank."""
    recalls = {f"r{k}": recall_at_k(ranks, k) for k in (1, 5, 10)}
    mrr = float(np.mean(1 / np.asarray(ranks)))
    return {**recalls, "mrr": mrr, "median_rank": float(np.median(ranks))}


def evaluate(E_image, E_text, texts=None, *, groups=None):
    """Return ranks (n,) of n pairs in one database, as "image_to_text" and "text_to_image".

    Row i of E_image (n, d) belongs to row i of E_text; equal ``texts`` or ``groups`` are hits.
    """
    E_image = check_matrix(E_image, "E_image")
    E_text = check_matrix(E_text, "E_text", E_image.shape[1])
    check_consistent_length(E_image, E_text, texts)
    labels = group_numbers(groups, len(E_image))
    relevant = labels[:, None] == labels
    if texts is not None:
        relevant |= same_text(texts, texts)
    S = E_image @ E_text.T  # (n, n)
    return {"image_to_text": true_ranks(S, relevant), "text_to_image": true_ranks(S.T, relevant)}


def mean_average_precision(scores, relevant):
    """Return the mean over queries of the average precision; arguments: see `true_ranks`."""
    true_ranks(scores, relevant)  # checks both
    return float(label_ranking_average_precision_score(relevant, scores))


def chance_levels(n_items, n_relevant=1):
    """Return what random order scores, as `summarize`; n_relevant is an int, or one a query."""
    check_scalar(n_items, "n_items", numbers.Integral, min_val=1)
    counts, n_queries = np.unique(np.atleast_1d(n_relevant), return_counts=True)
    if counts[0] < 1 or counts[-1] > n_items:
        raise ValueError(f"n_relevant must be from 1 to n_items={n_items}; {counts[[0, -1]]} came")
    later = np.arange(n_items + 1)  # beyond[j]: the chance that the first right one comes after j
    beyond = [scipy.stats.hypergeom.pmf(0, n_items, count, later) for count in counts]
    beyond = np.average(beyond, axis=0, weights=n_queries)
    recalls = {f"r{k}": float(1 - beyond[min(k, n_items)]) for k in (1, 5, 10)}
    mrr = float(np.sum(-np.diff(beyond) / later[1:]))
    median = (np.argmax(beyond <= 0.5 + 1e-12) + np.argmax(beyond < 0.5 - 1e-12)) / 2
    return {**recalls, "mrr": mrr, "median_rank": float(median)}


def bootstrap_interval(values, *, n_resamples=2000, random_state=0):
    """Return the 95 % interval (low, high) of the mean of one value per query, such as hits.

    Percentile bootstrap over queries (Efron, 1979); for the luck of training, use several seeds.
    """
    options = {"n_resamples": n_resamples, "random_state": random_state}
    found = paired_bootstrap(values, np.zeros(np.shape(values)), **options)
    return found["low"], found["high"]


def paired_bootstrap(values_a, values_b, *, n_resamples=2000, random_state=0):
    """Compare two systems on the same queries: tell whether the mean of a - b differs from 0.

    Returns a dict: difference, low and high of its 95 % interval, two-sided p >= 1 / n_resamples.
    """
    a, b = np.asarray(values_a, dtype=float), np.asarray(values_b, dtype=float)
    if a.shape != b.shape or a.ndim != 1 or len(a) == 0 or not np.isfinite(gains := a - b).all():
        raise ValueError(f"one value per query, finite, is needed; {a.shape}, {b.shape} came")
    options = {"n_resamples": n_resamples, "batch": 200, "method": "percentile"}
    options["random_state"] = np.random.default_rng(random_state)
    twice = np.repeat(gains, 2) if len(gains) == 1 else gains  # SciPy wants two
    found = scipy.stats.bootstrap((twice,), np.mean, **options)
    means, (low, high) = found.bootstrap_distribution, found.confidence_interval
    p = float(np.clip(2 * min((means <= 0).mean(), (means >= 0).mean()), 1 / n_resamples, 1))
    return {"difference": float(gains.mean()), "low": float(low), "high": float(high), "p": p}
