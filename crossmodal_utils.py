"""Cross-modal retrieval: photos find their descriptions, and descriptions their photos.

Reads top to bottom: data, features, alignment, model, search, evaluation. The notebooks write
each idea out in small steps; here stands the form one uses again.

Conventions: one item per row; ``X`` are image features (n, d_image), ``Y`` text features
(n, d_text), ``E`` embeddings (n, d) with rows of unit length, ``S`` scores (n_queries, n_items).
Rows of equal ``groups`` belong to one item: several captions of a picture, several photos of a
product. Importing this module changes nothing; all randomness comes from ``random_state``.
"""

import collections
import concurrent.futures
import contextlib
import csv
import functools
import io
import json
import math
import os
import pathlib
import re
import sys
import threading
import unicodedata
import urllib.parse
import uuid
import warnings

import numpy as np
import scipy.sparse
import scipy.stats
import skops.io
import threadpoolctl
from PIL import Image, ImageOps, UnidentifiedImageError
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import normalize
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

# ------------------------------------------------------------------------------------------
# Data
# ------------------------------------------------------------------------------------------

# What tables write where there is no value, in small letters.
NO_VALUE = ("", "nan", "nat", "none", "null", "na", "n/a", "<na>", "#n/a", "\\n")


class Catalogue:
    """Rows of one image and one text each.

    Parameters
    ----------
    images : uint8 array (n, height, width, 3)
    texts : list of n str
    attributes : dict of arrays with n rows, optional
    groups : sequence of n values, optional
        Rows with equal values are one item; a missing value is a group of its own, and by default
        each row is. Kept as ``groups``, int (n,), numbered from 0.

    Notes
    -----
    ``catalogue[index]``, an int array, slice, bool mask or one integer, is a new Catalogue.
    ``skipped`` lists what `load_catalogue` left out.
    """

    skipped = ()

    def __init__(self, images, texts, attributes=None, groups=None):
        self.images, self.texts = np.asarray(images), list(texts)
        self.attributes = {name: np.asarray(rows) for name, rows in (attributes or {}).items()}
        kind, shape = self.images.dtype, self.images.shape
        if kind != np.uint8 or len(shape) != 4 or shape[3] != 3:
            raise ValueError(f"images must be uint8 (n, height, width, 3); {kind} {shape} came")
        if len(self) or len(self.texts):
            self.texts = check_texts(texts)
        for name, rows in {"texts": self.texts, **self.attributes}.items():
            if np.ndim(rows) < 1 or len(rows) != len(self):
                came = f"{np.shape(rows)[:1]} came for {len(self)} images"
                raise ValueError(f"{name} must have one row per image; {came}")
        self.groups = group_numbers(groups, len(self))

    def __len__(self):
        """Return the number of rows."""
        return len(self.images)

    def __repr__(self):
        """Give the numbers of rows and items, the shape of an image, and the attributes."""
        told = f"{len(self)} rows of {len(np.unique(self.groups))} items"
        return f"Catalogue({told}, images {self.images.shape[1:]}, {list(self.attributes)})"

    def __getitem__(self, index):
        """Return a Catalogue of the chosen rows; nothing in it is shared with this one."""
        index = np.zeros(0, dtype=int) if np.size(index) == 0 else index
        rows = np.atleast_1d(np.arange(len(self))[index])
        attributes = {name: values[rows] for name, values in self.attributes.items()}
        texts = [self.texts[i] for i in rows]
        return Catalogue(self.images[rows], texts, attributes, self.groups[rows])

    def split(self, *, validation, test, random_state, groups=None):
        """Return (train, validation, test) Catalogues of these many rows, the rest in train.

        Rows of one group never fall in two parts: what the last group of a part has too many is
        dropped, and a printed line says how many rows that were. ``groups``, n values, keeps
        larger groups together for this split, such as blocks of article numbers. ValueError if a
        size is no int >= 0 or nothing is left to train on.
        """
        for name, size in (("validation", validation), ("test", test)):
            check_int(name, size, 0)
        labels = self.groups
        if groups is not None:
            labels = joined_groups(labels, group_numbers(groups, len(self)))
        values, inverse = np.unique(labels, return_inverse=True)
        rank = np.random.default_rng(random_state).permutation(len(values))[inverse]
        order, start, parts = np.argsort(rank, kind="stable"), 0, []
        for size in (test, validation):
            parts.insert(0, order[start : start + size])
            start += size
            while 0 < start < len(order) and size and rank[order[start]] == rank[order[start - 1]]:
                start += 1
        if start >= len(order):
            told = f"validation={validation} and test={test} leave nothing to train on"
            raise ValueError(f"{told} of {len(self)} rows in {len(values)} groups")
        if start > validation + test:
            _say(f"split: {start - validation - test} of {len(self)} rows dropped, to keep groups")
        return tuple(self[np.sort(part)] for part in (order[start:], *parts))


def group_numbers(groups, n_rows):
    """Return int (n_rows,), equal where ``groups`` are; a missing value is a group of its own."""
    if groups is None:
        return np.arange(n_rows)
    values = list(groups)
    if n_rows is not None and len(values) != n_rows:
        raise ValueError(f"groups must have one value per row; {len(values)} came for {n_rows}")
    seen, numbers = {}, []
    for value in values:
        key = value.strip() if isinstance(value, str) else value
        key = object() if is_missing(key) else key
        numbers.append(seen.setdefault(key, len(seen)))
    return np.array(numbers, dtype=int)


def joined_groups(*labels):
    """Return int (n,): the finest groups that keep rows together which any of the labels joins."""
    n = len(labels[0])
    links = scipy.sparse.csr_matrix((n, n))
    for label in labels:
        _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
        links += scipy.sparse.csr_matrix((np.ones(n), (np.arange(n), first[inverse])), (n, n))
    return scipy.sparse.csgraph.connected_components(links, directed=False)[1]


def is_missing(value):
    """Return whether a table's value stands for none, as None, NaN, "", "n/a" and others do."""
    return str(value).strip().casefold() in NO_VALUE


def check_int(name, value, least):
    """Raise ValueError unless value is an integer of at least this much."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an int >= {least}; {value!r} came")


def check_number(name, value, least, below=math.inf):
    """Raise ValueError unless value is a number from least to under below."""
    if not isinstance(value, int | float | np.number) or not least <= value < below:
        limit = f"below {below}" if below < math.inf else "finite"
        raise ValueError(f"{name} must be a number >= {least} and {limit}; {value!r} came")


def check_texts(texts):
    """Return texts as a list of str; raise unless they are a non-empty sequence of str."""
    advice = "give a list of str or one column of a table"
    if isinstance(texts, str):
        raise TypeError("texts must be a list of str; one str came: put it in a list, [text]")
    is_table = isinstance(texts, collections.abc.Mapping | collections.abc.Set)
    if is_table or getattr(texts, "ndim", 1) != 1 or not hasattr(texts, "__len__"):
        raise TypeError(f"texts must be a list of str; a {type(texts).__name__} came: {advice}")
    if len(texts) == 0:
        raise ValueError("texts is empty; at least one text is needed")
    texts = list(texts)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts must be str; row {row} is {type(text).__name__} {text!r:.40}")
    return texts


def _say(line):
    """Print a line; what the console's encoding cannot show comes as an escape."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)


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

    Parameters
    ----------
    table : path, or mapping of columns
        A plain CSV file (UTF-8, commas, a header, one row a line), or a dict, a pandas or a Polars
        DataFrame; pandas reads what is no plain CSV.
    image_column, text_column : str
        Columns of the pictures (paths relative to ``folder``; in a mapping also arrays or Pillow
        images) and of the texts.
    group_column : str, optional
        Rows with equal values are one item. So are rows of one picture, found by its pixels.
    folder : path, optional
        Where the pictures are: by default the CSV file's folder, or the working directory.
    on_error : "raise" or "skip"
        What a bad row does: all are told in one error, or left out and counted in print.
    size : int
        Side in pixels of the pictures, see `as_photos`; 100,000 of 64 pixels take 1.2 GB.

    Returns
    -------
    Catalogue
        Attributes hold every column but the text's (dtype object). ``skipped`` lists (place,
        reason) of each row left out.

    Raises
    ------
    ValueError
        With the bad rows by place and kind: no text, or no picture that can be read whole. With
        "skip" only if no row is good. Always if the table itself cannot be read.
    """
    check_int("size", size, 16)
    if on_error not in ("raise", "skip"):
        raise ValueError(f'on_error must be "raise" or "skip"; {on_error!r} came')
    is_file = isinstance(table, str | os.PathLike)
    name = pathlib.Path(table).name if is_file else "table"
    columns, places, bad = _read_csv(pathlib.Path(table)) if is_file else _read_mapping(table)
    for column in (image_column, text_column, *[group_column] * (group_column is not None)):
        if column not in columns:
            told = f"{name} has no column {column!r}, it has {list(columns)!r:.300}"
            raise ValueError(f"{told}; pass image_column and text_column, or {_by_pandas(name)}")
    folder = pathlib.Path(folder or (pathlib.Path(table).parent if is_file else "."))
    listed = functools.cache(lambda parent: sorted(os.listdir(parent)))
    images, kept = np.empty((len(places), size, size, 3), dtype=np.uint8), []
    for row, place in enumerate(places):
        try:
            _check_text(columns[text_column][row])
            images[len(kept)] = _read_picture(folder, columns[image_column][row], size, listed)
            kept.append(row)
        except ValueError as error:
            bad.append((place, str(error)))
        if (row + 1) % 2000 == 0:
            _say(f"{row + 1:,} of {len(places):,} rows read")
    _tell_bad_rows(name, bad, len(kept), on_error == "raise" or not kept)
    images, values = images[: len(kept)], {c: [v[i] for i in kept] for c, v in columns.items()}
    groups = group_numbers([photo.tobytes() for photo in images], len(images))
    if group_column is not None:
        groups = joined_groups(groups, group_numbers(values[group_column], len(images)))
    if (n_items := len(np.unique(groups))) < len(images):
        _say(f"{name}: {len(images):,} rows are {n_items:,} items (same picture or group)")
    texts = [text.strip() for text in values.pop(text_column)]
    attributes = {c: _column(v) for c, v in values.items() if c}
    catalogue = Catalogue(images, texts, attributes, groups)
    catalogue.skipped = bad
    return catalogue


def _column(values):
    """Return values as an array (n,) of dtype object, whatever they are."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _by_pandas(name):
    """Return what to do with a table that is no plain CSV file, as a phrase."""
    reader = {".xlsx": "excel", ".xls": "excel", ".parquet": "parquet", ".json": "json"}
    how = reader.get(pathlib.Path(name).suffix.casefold(), "csv")
    options = ", sep=..., encoding=..., quoting=..." if how == "csv" else ""
    options = ", lines=True" if name.casefold().endswith("l") and how == "json" else options
    return f"let pandas read it: load_catalogue(pandas.read_{how}({name!r}{options}), folder=...)"


def _read_csv(path):
    """Return columns {name: list of str}, the place of each row, and (place, reason) of bad rows.

    A record over several lines is bad: a quote that never closes would swallow rows in silence.
    """
    advice = _by_pandas(path.name)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        told = f"{path.name} is no CSV file in UTF-8 (byte {error.start}, line {line})"
        raise ValueError(f"{told}; {advice}") from error
    if path.suffix.casefold() in (".json", ".jsonl", ".ndjson"):
        raise ValueError(f"{path.name} is no CSV file; {advice}")
    reader, line, records = csv.reader(io.StringIO(text, newline=""), strict=True), 1, []
    try:
        for fields in reader:
            if fields and not (line == 1 and fields[0].startswith("sep=")):  # Excel's own mark
                records.append((line, reader.line_num, fields))
            line = reader.line_num + 1
    except csv.Error as error:
        told = f"{path.name}, line {line}: {error}; mend it, a quote there may never close"
        raise ValueError(f"{told}, or {advice}") from error
    if len(records) < 2:
        missing = "rows below its header" if records else "header: its first line names columns"
        raise ValueError(f"{path.name} has no {missing}; {advice}")
    names = [name.strip() for name in records[0][2]]
    twice = [name for name, n in collections.Counter(names).items() if name and n > 1]
    if twice:
        raise ValueError(f"{path.name} has more than one column {twice[0]!r}; rename one")
    good, bad = [], []
    for first, last, fields in records[1:]:
        if first != last:
            why = f"runs on over lines: to line {last}; does a quote never close?"
            bad.append((f"line {first}", f"{why} If it is meant so, {advice}"))
        elif len(fields) != len(names):
            why = f"wrong number of fields: {len(fields)}, the header has {len(names)}"
            bad.append((f"line {first}", why))
        else:
            good.append((f"line {first}", fields))
    columns = {name: [fields[i] for _, fields in good] for i, name in enumerate(names)}
    return columns, [place for place, _ in good], bad


def _read_mapping(table):
    """Return the columns of a mapping as lists, the place of each row, and no bad rows."""
    names = list(table.columns if hasattr(table, "columns") else getattr(table, "keys", list)())
    if not names:
        kind = type(table).__name__
        raise TypeError(f"table must be a path or a mapping of columns; {kind} came")
    columns = {name: list(table[name]) for name in names}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1 or not lengths[names[0]]:
        raise ValueError(f"columns must be equally long and not empty; {lengths!r:.300} came")
    return columns, [f"row {i}" for i in range(lengths[names[0]])], []


def _check_text(value):
    """Raise ValueError unless a table's value is a text."""
    if is_missing(value):
        raise ValueError(f"no text: {value!r}")
    if not isinstance(value, str):
        raise ValueError(f"text is no str: {type(value).__name__} {value!r:.60}")
    if "\0" in value:
        raise ValueError(f"a zero byte in the text: {value!r:.60}")


def _tell_bad_rows(name, bad, n_good, is_error):
    """Raise ValueError with the counts of each kind and 20 bad rows, or print the counts."""
    if not bad and n_good:
        return
    kinds = collections.Counter(why.partition(":")[0] for _, why in bad).most_common()
    counts = ", ".join(f"{n:,} {kind}" for kind, n in kinds)
    told = f"{name}: {len(bad):,} of {len(bad) + n_good:,} rows"
    if not is_error:
        _say(f"{told} skipped ({counts})")
        return
    advice = 'mend them, or pass on_error="skip"' if n_good else "no row is good"
    lines = [f"\n  {place}: {why}" for place, why in bad[:20]]
    more = f"\n  and {len(bad) - 20} more" if len(bad) > 20 else ""
    raise ValueError(f"{told} are bad ({counts}); {advice}" + "".join(lines) + more)


def _read_picture(folder, value, size, listed):
    """Return a picture as uint8 (size, size, 3): a path in the folder, an array, a Pillow image.

    ValueError says why there is none; ``listed`` returns the names in a folder, for a hint.
    """
    if not isinstance(value, str | os.PathLike | int | float):
        return _fit(value, size)
    name = str(value).strip()
    if is_missing(name):
        raise ValueError("no image")
    if re.match(r"(?i)\W*([a-z][a-z\d+.-]+://|www\.)|//|data:", name):
        raise ValueError(f"a web address, to be downloaded first: {name!r:.80}")
    path = folder / name.replace("\\", "/")
    if not path.is_file():  # a pipe is none either: one would wait for it
        kind = "a folder, not a file" if path.is_dir() else "no such file"
        raise ValueError(f"{kind}: {name!r:.80}{_hint(path, listed)}")
    return _open_picture(path, size, name)


def _hint(path, listed):
    """Return what a missing file may be called instead, in brackets, or nothing."""
    if re.search(r"[|;]|, ", path.name):
        return " (several pictures in one field? Give each a row of its own)"
    wanted = {_bare(path.name), _bare(path.name.removesuffix(".0"))}
    there = listed(path.parent) if path.parent.is_dir() else []
    like = [n for n in there if {_bare(n), _bare(os.path.splitext(n)[0])} & wanted]
    return f" (there is {like[0]!r})" if like else ""


def _bare(name):
    """Return a file's name without what differs between systems: case, Unicode form, escapes."""
    return unicodedata.normalize("NFC", urllib.parse.unquote(name)).casefold()


def _open_picture(path, size, name):
    """Return the picture in a file as uint8 (size, size, 3); ValueError if there is none."""
    detail = ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on oddities that Pillow copes with
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if image.format == "EPS":  # a program, which Ghostscript may run for ever
                    raise ValueError("an EPS file: save it as PNG")
                image.draft(None, (3 * size, 3 * size))  # large JPEGs come smaller, and sooner
                return _fit(image, size)
    except UnidentifiedImageError:
        why = "not a picture that Pillow knows" if path.stat().st_size else "an empty file"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        why = f"more pixels than Pillow's limit of {Image.MAX_IMAGE_PIXELS:,}"
    except Exception as error:  # a damaged file can fail a decoder in any way
        why, detail = "unreadable", f" ({getattr(error, 'strerror', None) or error})"
    raise ValueError(f"{why}: {name!r:.80}{detail:.120}")


def as_photos(images, size):
    """Return images as uint8 (n, size, size, 3), resized to fit and padded to a square.

    Parameters
    ----------
    images : uint8 array (n, height, width, 3) or grey (n, height, width), or list of pictures
        A picture is an array, a Pillow image of any mode, or a path. They are turned upright as
        their EXIF mark says; transparent ones lie on white. Arrays of the right size come back as
        they are, not copied.
    size : int
        Side of the result in pixels. The padding has the median colour of the picture's top and
        bottom rows.

    Raises
    ------
    ValueError, TypeError
        If there is no image, one image came instead of many, or pixels are of an unknown range.
    """
    if isinstance(images, Image.Image | str | os.PathLike) or not hasattr(images, "__len__"):
        kind = type(images).__name__
        raise TypeError(f"images must be an array or a list of pictures; {kind} came: [image]?")
    if len(images) == 0:
        raise ValueError("images is empty; at least one image is needed")
    if isinstance(images, np.ndarray) and images.dtype != object:
        if images.ndim == 2 or (images.ndim == 3 and images.shape[2] == 3):
            raise ValueError(
                f"images must be many, (n, height, width, 3); one of shape {images.shape} came: "
                "put it in a list, [image]"
            )
        if images.ndim == 4 and images.dtype == np.uint8 and images.shape[1:] == (size, size, 3):
            return images
    photos = []
    for row, image in enumerate(images):
        try:
            is_path = isinstance(image, str | os.PathLike)
            photos.append(
                _open_picture(pathlib.Path(image), size, str(image))
                if is_path
                else _fit(image, size)
            )
        except (TypeError, ValueError) as error:
            raise type(error)(f"image {row}: {error}") from error
    return np.stack(photos)


def _rgb(image):
    """Return an array or a Pillow image of any mode as an upright Pillow image in RGB."""
    if not isinstance(image, Image.Image):
        array = np.asarray(image)
        if array.dtype != np.uint8:
            raise TypeError(
                f"pixels must be uint8 from 0 to 255; {array.dtype} came: convert first"
            )
        grey = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 1)
        array = np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2) if grey else array
        if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
            raise ValueError(f"an image must have shape (height, width, 3); {array.shape} came")
        return Image.fromarray(array)
    if 0 in image.size:
        raise ValueError(f"an image must have pixels; one of {image.size} came")
    image = ImageOps.exif_transpose(image)
    if image.mode[0] in "IF":  # Pillow would cut these off at 255 and show white
        image = Image.fromarray(_eight_bits(np.asarray(image), image.mode))
    if image.mode[-1] not in "Aa" and "transparency" not in image.info:
        return image.convert("RGB")
    image, canvas = image.convert("RGBA"), Image.new("RGB", image.size, "white")
    canvas.paste(image, mask=image.getchannel("A"))
    return canvas


def _eight_bits(pixels, mode):
    """Return pixels of 12 or 16 bits, or floats from 0 to 1 or 255, as uint8 by their range."""
    low, high = float(pixels.min()), float(pixels.max())
    ranges = (1, 255) if mode[0] == "F" else (255, 4095, 65535)
    top = next((top for top in ranges if high <= top), None)
    if not low >= 0 or top is None:  # "not" as NaN is neither
        raise ValueError(f"pixels from {low:g} to {high:g} are of no known range: save 8 bits")
    return np.rint(pixels * (255 / top)).astype(np.uint8)


def _fit(image, size):
    """Return one picture as uint8 (size, size, 3), its proportions kept."""
    image = _rgb(image)
    scale = size / max(image.size)
    small = [max(1, round(side * scale)) for side in image.size]
    shrunk = image.resize(small, Image.Resampling.BICUBIC, reducing_gap=3)
    if small == [size, size]:
        return np.asarray(shrunk)
    border = np.asarray(image)[[0, -1]].reshape(-1, 3)
    canvas = Image.new("RGB", (size, size), tuple(np.median(border, axis=0).astype(int).tolist()))
    canvas.paste(shrunk, ((size - small[0]) // 2, (size - small[1]) // 2))
    return np.asarray(canvas)


# ------------------------------------------------------------------------------------------
# Features: a photo and a text each become one row of numbers
# ------------------------------------------------------------------------------------------


class ImageFeatures(TransformerMixin, BaseEstimator):
    """Turn photos into rows of numbers: edges and colours, then PCA.

    Three views of each photo: edge directions over the whole photo, and over the product cut out
    from its backdrop; and a colour histogram of the product on a 3 x 3 grid. Each view is scaled
    to one total variance and compressed by PCA, and all of them once more together.

    Parameters
    ----------
    n_components : int
        Length of a row, at most; fewer where there are fewer photos.
    size : int
        Side in pixels to which photos are brought, at least 16; best a multiple of 8.
    random_state : int
        Seed of the randomised PCA.

    Attributes
    ----------
    views_ : dict of dicts of arrays, mean (d,) and components (k, d) of each view
    mean_, components_ : arrays of the last PCA
    n_features_out_ : int

    Notes
    -----
    Edges after Dalal and Triggs (CVPR 2005). At most 10,000 photos, evenly chosen, are learned
    from, and photos are turned in batches, which bounds the memory.
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
        """Fit on photos and return their rows, float64 (n, n_features_out_)."""
        check_int("n_components", self.n_components, 1)
        check_int("size", self.size, 16)
        photos = as_photos(images, self.size)
        if len(photos) < 2:
            raise ValueError(f"at least 2 photos are needed to fit; {len(photos)} came")
        some = photos[np.linspace(0, len(photos) - 1, min(len(photos), 10_000)).astype(int)]
        batches, self.views_, parts = _in_batches(image_views, some), {}, []
        for name in list(batches[0]):
            view = np.concatenate([batch.pop(name) for batch in batches])
            mean = view.mean(axis=0)
            scale = np.sqrt(np.square(view - mean).sum(axis=1).mean()) or 1.0
            pca = self._pca(view / scale, max(1, self.n_components // 2))
            self.views_[name] = {"mean": mean, "components": pca.components_ / scale}
            parts.append((view - mean) @ self.views_[name]["components"].T)
        last = self._pca(X := np.hstack(parts), self.n_components)
        self.mean_, self.components_ = last.mean_, last.components_
        self.n_features_out_ = len(last.components_)
        if len(some) < len(photos):
            return self.transform(photos)
        return (X - self.mean_) @ self.components_.T

    def transform(self, images):
        """Return the rows of photos, float64 (n, n_features_out_)."""
        check_is_fitted(self, "components_")
        return np.concatenate(_in_batches(self._rows, as_photos(images, self.size)))

    def _pca(self, view, n_components):
        """Fit scikit-learn's PCA with as many components as the data allow."""
        n = min(n_components, view.shape[1], len(view) - 1)
        pca = PCA(n, svd_solver="randomized", iterated_power=2, random_state=self.random_state)
        with np.errstate(invalid="ignore"):  # photos all alike explain 0 of a variance of 0
            return pca.fit(view)

    def _rows(self, photos):
        """Return the rows of one batch of photos."""
        views, learned = image_views(photos), self.views_.items()
        parts = [(views[name] - view["mean"]) @ view["components"].T for name, view in learned]
        return (np.hstack(parts) - self.mean_) @ self.components_.T


def _in_batches(function, photos):
    """Return [function(batch)] over batches of photos, two at a time: NumPy lets threads work."""
    batches = [photos[i : i + 128] for i in range(0, len(photos), 128)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, batches))


def image_views(photos):
    """Return the raw views {name: float (n, d)} of uint8 photos (n, size, size, 3).

    The product is what differs from the backdrop, the median colour of the photo's border.
    """
    x = photos / np.float32(255)
    border = np.concatenate([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], axis=1)
    backdrop = np.median(border, axis=1)[:, None, None]  # (n, 1, 1, 3)
    boxes = _bounding_boxes(np.abs(x - backdrop).max(axis=3) > 0.08)
    crops = [
        Image.fromarray(photo).resize((48, 48), Image.Resampling.BILINEAR, box=box)
        for photo, box in zip(photos, boxes, strict=True)
    ]
    product = np.stack([np.asarray(crop) for crop in crops]) / np.float32(255)
    cover = np.clip(np.abs(product - backdrop).max(axis=3) / 0.08 - 0.5, 0, 1)
    return {
        "edges of the photo": edge_directions(x, 8),
        "edges of the product": edge_directions(product, 6),
        "colours": colour_histograms(product[:, ::2, ::2], cover[:, ::2, ::2]),
    }


def _bounding_boxes(mask):
    """Return [left, top, right, bottom] of what is True, less a stray half per cent of it."""
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
    """Return how strong edges of each direction are in each cell, (n, cells * cells * 8).

    ``x``, float (n, side, side, 3), is cut into cells of cell x cell pixels. Directions are told
    by projection, (gradient . direction)**4, not by arctangent: products and sums are the same to
    the last bit on every processor. Each cell is divided by its surroundings, so that faint edges
    count as well.
    """
    down, right = np.zeros_like(x), np.zeros_like(x)
    down[:, 1:-1] = x[:, 2:] - x[:, :-2]
    right[:, :, 1:-1] = x[:, :, 2:] - x[:, :, :-2]
    channel = (np.square(down) + np.square(right)).argmax(axis=3)[..., None]
    down, right = (np.take_along_axis(g, channel, axis=3)[..., 0] for g in (down, right))
    length = np.sqrt(np.square(down) + np.square(right)) + 1e-3
    turns = []
    for angle in (math.pi * i / n_directions for i in range(n_directions)):
        along = (right * math.cos(angle) + down * math.sin(angle)) / length
        turns.append(_pool(np.square(np.square(along)) * length, cell))
    cells = np.stack(turns, axis=3)  # (n, side / cell, side / cell, 8)
    energy = np.pad(np.square(cells).sum(axis=3), ((0, 0), (1, 1), (1, 1)), mode="edge")
    side = cells.shape[1]
    around = sum(energy[:, i : i + side, j : j + side] for i in range(3) for j in range(3)) / 9
    return np.sqrt(cells / np.sqrt(around + 1e-3)[..., None]).reshape(len(x), -1)


def _pool(x, cell):
    """Average cells of cell x cell pixels: (n, s, s) becomes (n, s // cell, s // cell)."""
    side = x.shape[1] // cell
    x = x[:, : side * cell, : side * cell]
    return x.reshape(len(x), side, cell, side, cell).mean(axis=(2, 4))


def colour_histograms(x, cover, grid=3, bins=6):
    """Return the square root of colour histograms, (n, grid**2 * bins**3), in cells of a grid.

    ``x`` is float (n, side, side, 3) from 0 to 1, ``cover`` (n, side, side) how much each pixel
    counts. A pixel is shared in proportion among the nearest bins of each colour channel.
    """
    n, step = len(x), x.shape[1] // grid
    shares = np.maximum(1 - np.abs(x[..., None] * (bins - 1) - np.arange(bins, dtype=x.dtype)), 0)
    shares = shares.reshape(n, grid, step, grid, step, 3, bins)
    red, green, blue = np.moveaxis(shares.swapaxes(2, 3).reshape(n, grid**2, -1, 3, bins), 3, 0)
    cover = cover.reshape(n, grid, step, grid, step).swapaxes(2, 3).reshape(n, grid**2, -1, 1)
    pairs = (red * cover)[..., :, None] * green[..., None, :]  # (n, cells, pixels, bins, bins)
    table = pairs.reshape(*pairs.shape[:3], -1).swapaxes(2, 3) @ blue
    table = table.reshape(n, -1)
    return np.sqrt(table / np.maximum(table.sum(axis=1, keepdims=True), 1e-9))


class TextFeatures(TransformerMixin, BaseEstimator):
    """Turn texts into rows of numbers: words and word pairs, and the letters in words.

    Two views, each weighted by rarity (TF-IDF), compressed by SVD and scaled to one total
    variance: counts of words and pairs, and of runs of letters. The letters of a text are the sum
    over its words, so each distinct word is cut into runs once. They help with words never met,
    typing errors, and scripts without spaces. Case and the Unicode form of accents do not matter.

    Parameters
    ----------
    n_components : int
        Length of each view, at most; fewer where the vocabulary is small.
    ngrams : tuple of 2 ints
        Shortest and longest run of words to count.
    letters : tuple of 2 ints, or None
        Shortest and longest run of letters to count, a word's ends included; None for words only.
    min_count : int
        Words and runs in fewer training texts are left out.
    random_state : int
        Seed of the randomised SVD.

    Attributes
    ----------
    views_ : dict of dicts of arrays: terms (n_terms,) str, table (n_terms, k), mean (k,) and scale
        of the view "words" and, unless letters is None, "letters"
    n_features_out_ : int
    """

    def __init__(
        self, *, n_components=600, ngrams=(1, 2), letters=(2, 4), min_count=2, random_state=0
    ):
        self.n_components = n_components
        self.ngrams = ngrams
        self.letters = letters
        self.min_count = min_count
        self.random_state = random_state

    def fit(self, texts, y=None):
        """Learn vocabulary and axes from training texts (list of str)."""
        self.fit_transform(texts)
        return self

    def fit_transform(self, texts, y=None):
        """Fit on texts and return their rows, float64 (n, n_features_out_)."""
        for name in ("n_components", "min_count"):
            check_int(name, getattr(self, name), 1)
        counts, terms, n_words = _count_words(texts, self.ngrams[1])
        known = n_words >= self.ngrams[0]
        self.views_ = {"words": self._learn(_damped(counts[:, known]), terms[known])}
        if self.letters is not None:
            runs, found = _count_runs(terms[n_words == 1], self.letters)
            self.views_["letters"] = self._learn(counts[:, n_words == 1] @ runs, found)
        for view, rows in zip(self.views_.values(), self._rows(texts), strict=True):
            view["mean"] = rows.mean(axis=0)
            view["scale"] = np.sqrt(np.square(rows - view["mean"]).sum(axis=1).mean()) or 1.0
        self.n_features_out_ = sum(len(view["mean"]) for view in self.views_.values())
        return self.transform(texts)

    def transform(self, texts):
        """Return the rows of texts, float64 (n, n_features_out_).

        Texts without any known word or run of letters all get one row; a warning tells their
        share.
        """
        check_is_fitted(self, "n_features_out_")
        rows = self._rows(texts)
        unknown = np.mean(~np.any([part.any(axis=1) for part in rows], axis=0))
        if unknown:
            warnings.warn(
                f"{unknown:.1%} of the texts hold no known word or letters", stacklevel=2
            )
        views = zip(rows, self.views_.values(), strict=True)
        return np.hstack([(part - view["mean"]) / view["scale"] for part, view in views])

    def _learn(self, counts, terms):
        """Return the terms of a view, and each one's weight times its place in the SVD."""
        n = counts.shape[0]
        frequency = np.asarray((counts > 0).sum(axis=0)).ravel()
        keep = frequency >= min(self.min_count, n)
        if keep.sum() < 2:
            told = f"at least 2 words must occur in min_count={self.min_count} texts or more"
            raise ValueError(f"{told}; {keep.sum()} of {len(terms)} do")
        weights = np.log((1 + n) / (1 + frequency[keep])) + 1
        weighted = normalize(counts[:, keep] @ scipy.sparse.diags(weights))
        k = min(self.n_components, *(max(1, side - 1) for side in weighted.shape))
        with np.errstate(invalid="ignore"):  # texts all alike explain 0 of a variance of 0
            svd = TruncatedSVD(k, random_state=self.random_state).fit(weighted)
        return {"terms": terms[keep], "table": weights[:, None] * svd.components_.T}

    def _rows(self, texts):
        """Return each view's rows, of unit length, or of zeros where nothing is known."""
        counts, terms, n_words = _count_words(texts, self.ngrams[1])
        words = self.views_["words"]
        _, known, place = np.intersect1d(terms, words["terms"], return_indices=True)
        rows = [normalize(_damped(counts[:, known]) @ words["table"][place])]
        if "letters" in self.views_:
            letters = self.views_["letters"]
            runs, _ = _count_runs(terms[n_words == 1], self.letters, letters["terms"])
            rows.append(normalize(counts[:, n_words == 1] @ (runs @ letters["table"])))
        return rows


@functools.cache
def _word_pattern():
    """Return the pattern of a word: letters with their combining marks, or one digit."""
    marks = (chr(i) for i in range(0x20000) if unicodedata.category(chr(i))[0] == "M")
    return rf"(?:[^\W\d_][{''.join(marks)}]*)+|\d"


def _count_words(texts, longest):
    """Return counts (n, n_terms), sparse, of words and runs of words, and the terms.

    The third array (n_terms,) says of how many words each term consists.
    """
    texts = [unicodedata.normalize("NFC", text).casefold() for text in check_texts(texts)]
    options = {"ngram_range": (1, longest), "token_pattern": _word_pattern()}
    counter = CountVectorizer(lowercase=False, dtype=float, **options)
    if not any(map(re.compile(_word_pattern()).search, texts)):
        return scipy.sparse.csr_matrix((len(texts), 0)), np.empty(0, str), np.empty(0, int)
    counts = counter.fit_transform(texts)
    terms = counter.get_feature_names_out().astype(str)
    return counts, terms, np.char.count(terms, " ") + 1


def _count_runs(words, letters, runs=None):
    """Return counts (n_words, n_runs), sparse, of runs of letters in words, and the runs."""
    options = {"ngram_range": tuple(letters), "lowercase": False, "dtype": float}
    counter = CountVectorizer(analyzer="char_wb", vocabulary=runs, **options)
    if len(words) == 0:
        return scipy.sparse.csr_matrix((0, len(runs) if runs is not None else 0)), runs
    counts = counter.fit_transform(words)
    return counts, counter.get_feature_names_out().astype(str)


def _damped(counts):
    """Return counts with 1 + log(count) in place of each count: the second time says less."""
    counts = counts.copy()
    counts.data = 1 + np.log(counts.data)
    return counts


# ------------------------------------------------------------------------------------------
# Alignment: from two feature spaces into one shared space
# ------------------------------------------------------------------------------------------


def check_matrix(X, name, n_columns=None, n_rows=None, *, keep_single=False):
    """Return X as float64 (n, d); raise a clear error unless it is a finite matrix that fits.

    With ``keep_single``, float32 stays float32. What need not be converted is not copied.
    """
    X = check_array(X, dtype=[np.float64, np.float32] if keep_single else float, input_name=name)
    if n_columns is not None and X.shape[1] != n_columns:
        raise ValueError(f"{name} must have {n_columns} columns, as in fit; {X.shape[1]} came")
    if n_rows is not None and len(X) != n_rows:
        raise ValueError(f"{name} must have {n_rows} rows, one a pair; {len(X)} came")
    return X


def whitening(X, shrinkage):
    """Return mean (d,) and W (d, rank) such that (X - mean) @ W has uncorrelated unit columns.

    Parameters
    ----------
    X : array (n, d)
    shrinkage : float >= 0
        Added to each eigenvalue of the covariance, in units of their mean. Directions of hardly
        any variance are then not blown up, and W is symmetric. With 0 those below 1e-10 of the
        largest are dropped: noise among them would correlate perfectly with anything.

    Raises
    ------
    ValueError
        If all rows are equal, up to rounding.
    """
    mean = X.mean(axis=0)
    Xc = X - mean
    if np.abs(Xc).max() <= 1e-14 * np.abs(X).max():
        raise ValueError("features must vary; all rows that came are equal")
    values, axes = np.linalg.eigh(Xc.T @ Xc / len(X))
    if shrinkage > 0:
        # An eigenvector may have either sign and, where eigenvalues are equal, any direction:
        # another machine, or another number of threads, finds another. Their product is unique.
        scale = np.sqrt(np.maximum(values, 0) + shrinkage * values.mean())
        return mean, axes / scale @ axes.T
    keep = values > 1e-10 * values.max()
    axes = axes[:, keep]
    return mean, axes * _signs(axes) / np.sqrt(values[keep])


def _signs(P):
    """Return the sign of the largest entry of each column."""
    return np.sign(P[np.abs(P).argmax(axis=0), np.arange(P.shape[1])])


def canonical_directions(A, B):
    """Return directions P (d_image, k), Q (d_text, k) and correlations (k,) of whitened pairs.

    The singular value decomposition of A.T @ B / n; k is the smaller width. Signs are fixed (the
    largest entry of each column of P is positive), so pictures do not flip between machines.
    """
    P, correlations, Qt = np.linalg.svd(A.T @ B / len(A), full_matrices=False)
    signs = _signs(P)
    return P * signs, Qt.T * signs, np.clip(correlations, 0, 1)


class _Aligner(BaseEstimator):
    """What the aligners share: two maps from features to unit rows in one space."""

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
        if "inner" in maps:
            return normalize(tower(X @ maps["whiten"], maps)[0])
        return normalize(np.linalg.multi_dot([X, maps["whiten"], maps["linear"]]))

    def _whitened(self, X, Y):
        """Check pairs; return whitened features of both, and start each side's maps."""
        X = check_matrix(X, "image features")
        Y = check_matrix(Y, "text features", n_rows=len(X))
        if len(X) < 2:
            raise ValueError(f"at least 2 pairs are needed to align; {len(X)} came")
        shrinkage = self.regularization
        shrinkage = (shrinkage, shrinkage) if np.ndim(shrinkage) == 0 else tuple(shrinkage)
        if len(shrinkage) != 2:
            raise ValueError(f"regularization must be one number or two; {shrinkage!r} came")
        whitened = []
        for side, Z, value in zip(("image_", "text_"), (X, Y), shrinkage, strict=True):
            check_number("regularization", value, 0)
            mean, whiten = whitening(Z, value)
            setattr(self, side, {"mean": mean, "whiten": whiten})
            whitened.append((Z - mean) @ whiten)
        return whitened


class CCA(_Aligner):
    """Canonical correlation analysis in closed form (Hotelling, Biometrika 1936).

    Parameters
    ----------
    n_components : int
        Dimensions of the shared space, at most; fewer where the features have fewer.
    regularization : float or (image, text)
        Shrinkage of each covariance, in units of its mean eigenvalue; 0 is classical CCA.
    weight_power : float
        Each direction is weighted by its correlation to this power: weak ones say less.

    Attributes
    ----------
    correlations_ : array (n_components,), of regularised directions where there is shrinkage
    image_, text_ : dicts with mean (d,), whiten (d, rank), linear (rank, n_components)
    """

    def __init__(self, n_components=400, *, regularization=(0.1, 1.0), weight_power=1.0):
        self.n_components = n_components
        self.regularization = regularization
        self.weight_power = weight_power

    def fit(self, X_image, X_text):
        """Align pairs: row i of X_image (n, d_image) belongs to row i of X_text (n, d_text)."""
        check_int("n_components", self.n_components, 1)
        check_number("weight_power", self.weight_power, 0)
        A, B = self._whitened(X_image, X_text)
        P, Q, correlations = canonical_directions(A, B)
        self.correlations_ = correlations[: self.n_components]
        weights = self.correlations_**self.weight_power
        self.image_["linear"] = P[:, : self.n_components] * weights
        self.text_["linear"] = Q[:, : self.n_components] * weights
        return self


def info_nce(E_image, E_text, temperature, targets=None):
    """Return the symmetric InfoNCE loss of a batch of pairs, and its gradients.

    Parameters
    ----------
    E_image, E_text : arrays (n, d), rows of unit length; row i of one belongs to row i of other
    temperature : float > 0
        Scores are divided by it; the smaller, the more the hardest negatives count.
    targets : array (n, n), optional
        Row i: the share of text i's probability each photo, or text, should get. The identity by
        default; rows of one item share theirs, so that no true match counts as a negative.

    Returns
    -------
    loss : float, in nats; gradients : two arrays (n, d), of the loss by E_image and by E_text

    Notes
    -----
    Oord, Li and Vinyals (2018); symmetric as in CLIP (Radford et al., ICML 2021).
    """
    n = len(E_image)
    T = np.eye(n) if targets is None else targets
    S = E_image @ E_text.T / temperature  # (n, n)
    loss, G = 0.0, np.zeros_like(S)
    for scores, target, flip in ((S, T, False), (S.T, T.T, True)):
        scores = scores - scores.max(axis=1, keepdims=True)  # or exp would overflow
        total = np.exp(scores).sum(axis=1, keepdims=True)
        P = np.exp(scores) / total  # softmax of each row
        loss -= (target * (scores - np.log(total))).sum() / (2 * n)
        difference = (P - target) / (2 * n * temperature)
        G += difference.T if flip else difference
    return float(loss), G @ E_text, G.T @ E_image


def tower(X, maps, mask=None):
    """Map whitened features (n, rank) to (n, d): linear, plus a hidden layer where there is one.

    Returns the output before normalisation and the hidden activations (n, hidden) or None.
    ``mask`` multiplies the activations: dropout in training.
    """
    Z = X @ maps["linear"]
    if "inner" not in maps:
        return Z, None
    H = np.maximum(X @ maps["inner"] + maps["bias"], 0)
    H = H if mask is None else H * mask
    return Z + H @ maps["outer"], H


def tower_gradient(X, maps, grad_E, mask=None):
    """Return the gradient of a loss by each weight of a tower: a dict of arrays like ``maps``.

    ``grad_E`` (n, d) is the loss's gradient by the tower's output after scaling to unit rows, X
    and mask are what `tower` was given.
    """
    Z, H = tower(X, maps, mask)
    length = np.maximum(np.linalg.norm(Z, axis=1, keepdims=True), 1e-12)
    E = Z / length
    # Only the part of the gradient across E turns it; the part along E is lost in normalising.
    grad_Z = (grad_E - E * (E * grad_E).sum(axis=1, keepdims=True)) / length
    gradient = {"linear": X.T @ grad_Z}
    if H is not None:
        grad_H = grad_Z @ maps["outer"].T * (H > 0)
        grad_H = grad_H if mask is None else grad_H * mask
        gradient.update(inner=X.T @ grad_H, bias=grad_H.sum(axis=0), outer=H.T @ grad_Z)
    return gradient


class ContrastiveAligner(_Aligner):
    """Two towers trained with InfoNCE: gradients by hand, Adam, warm-up and cosine decay.

    Features are whitened first, with shrinkage. Each tower is linear, plus one hidden layer of
    rectified units if ``hidden_size`` is not 0. It starts where CCA ends, or at random.

    Parameters
    ----------
    n_components : int
        Dimensions of the shared space.
    hidden_size : int
        Units of the hidden layer; 0 for linear towers.
    temperature : float
        Of the loss, see `info_nce`.
    regularization : float or (image, text)
        Shrinkage of the whitening, as in CCA.
    batch_size : int
        Pairs in a batch, about: batches are of equal size.
    epochs : int
        Passes over the pairs, at most.
    learning_rate : float
        Adam's, at its height.
    dropout : float
        Share of the hidden units left out at each step.
    start : "cca" or "random"
    patience : int
        With validation pairs: epochs without a better loss before training stops.
    random_state : int
    verbose : bool
        Print the losses five times in the course of training.

    Attributes
    ----------
    image_, text_ : dicts with mean, whiten, linear, and with a hidden layer inner, bias, outer
    loss_, validation_loss_ : arrays (epochs run,), in nats
    best_epoch_ : int, counted from 1; its weights are kept
    """

    def __init__(
        self,
        *,
        n_components=256,
        hidden_size=512,
        temperature=0.15,
        regularization=(0.3, 1.0),
        batch_size=512,
        epochs=15,
        learning_rate=1e-3,
        dropout=0.2,
        start="cca",
        patience=4,
        random_state=0,
        verbose=False,
    ):
        self.n_components = n_components
        self.hidden_size = hidden_size
        self.temperature = temperature
        self.regularization = regularization
        self.batch_size = batch_size
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.start = start
        self.patience = patience
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X_image, X_text, *, validation=None, groups=None):
        """Train on pairs (n, d_image), (n, d_text); early stopping if validation pairs are given.

        Rows of one of the ``groups``, n values, and rows of equal texts are not each other's
        negatives. ``validation`` is a tuple of two such matrices and, optionally, their groups.
        """
        self._check_options()
        rng = np.random.default_rng(self.random_state)
        A, B = self._whitened(X_image, X_text)
        labels = _same_items(X_text, groups)
        validation = validation and self._check_validation(*validation)
        self._start(A, B, rng)
        self.loss_, self.validation_loss_, best = [], [], (np.inf, None)
        moments, n_batches = {}, max(1, round(len(A) / self.batch_size))
        for epoch in range(self.epochs):
            losses = []
            for k, rows in enumerate(np.array_split(rng.permutation(len(A)), n_batches)):
                progress = (epoch * n_batches + k + 1) / (self.epochs * n_batches)
                losses.append(self._step(A[rows], B[rows], labels[rows], moments, progress, rng))
            self.loss_.append(float(np.mean(losses)))
            best = self._judge(validation, best)
            if validation and epoch + 1 - self.best_epoch_ >= self.patience:
                break
            self._report(epoch)
        _, self.image_, self.text_ = best
        self.loss_, self.validation_loss_ = np.array(self.loss_), np.array(self.validation_loss_)
        return self

    def _check_options(self):
        """Raise on options that cannot be trained with."""
        if self.start not in ("cca", "random"):
            raise ValueError(f'start must be "cca" or "random"; {self.start!r} came')
        for name in ("batch_size", "epochs", "n_components", "patience"):
            check_int(name, getattr(self, name), 1)
        check_int("hidden_size", self.hidden_size, 0)
        for name in ("temperature", "learning_rate"):
            check_number(name, getattr(self, name), 1e-9)
        check_number("dropout", self.dropout, 0, 1)

    def _check_validation(self, X, Y, groups=None):
        """Return validation pairs and targets, checked before time is spent on training."""
        X = check_matrix(X, "validation image features", len(self.image_["mean"]))
        Y = check_matrix(Y, "validation text features", len(self.text_["mean"]), len(X))
        return X, Y, _targets(_same_items(Y, groups))

    def _start(self, A, B, rng):
        """Set the first weights of both towers."""
        P, Q, correlations = canonical_directions(A, B)
        k = min(self.n_components, len(correlations))
        for maps, Z, directions in ((self.image_, A, P), (self.text_, B, Q)):
            maps["linear"] = directions[:, :k] * correlations[:k]
            if self.start == "random":
                maps["linear"] = rng.normal(0, Z.shape[1] ** -0.5, (Z.shape[1], k))
            if self.hidden_size:
                width, hidden = Z.shape[1], self.hidden_size
                maps["inner"] = rng.normal(0, (2 / width) ** 0.5, (width, hidden))
                maps["bias"] = np.zeros(hidden)
                maps["outer"] = rng.normal(0, 0.1 * hidden**-0.5, (hidden, k))

    def _step(self, A, B, labels, moments, progress, rng):
        """Take one step of Adam on one batch; return its loss before the step."""
        shape, keep = (len(A), self.hidden_size), 1 - self.dropout
        masks = [(rng.random(shape) >= self.dropout) / keep for _ in range(2)]
        sides = list(zip((A, B), (self.image_, self.text_), masks, strict=True))
        E = [normalize(tower(*side)[0]) for side in sides]
        loss, *grads = info_nce(*E, self.temperature, _targets(labels))
        decay = (1 + math.cos(math.pi * progress)) / 2
        rate = self.learning_rate * min(1, progress / 0.05) * decay
        moments["steps"] = steps = moments.get("steps", 0) + 1
        for i, ((X, maps, mask), grad_E) in enumerate(zip(sides, grads, strict=True)):
            for name, gradient in tower_gradient(X, maps, grad_E, mask).items():
                first, second = moments.get((i, name), (0.0, 0.0))
                first = 0.9 * first + 0.1 * gradient
                second = 0.99 * second + 0.01 * np.square(gradient)
                moments[i, name] = first, second
                change = first / (1 - 0.9**steps) / (np.sqrt(second / (1 - 0.99**steps)) + 1e-8)
                maps[name] = maps[name] - rate * change
        return loss

    def _judge(self, validation, best):
        """Record the validation loss; return it with both maps of the best epoch, or the last."""
        loss = self.loss_[-1]
        if validation:
            X, Y, targets = validation
            E = self.transform_image(X), self.transform_text(Y)
            loss = info_nce(*E, self.temperature, targets)[0]
            self.validation_loss_.append(loss)
        if not math.isfinite(loss):
            raise ValueError("training diverged; choose a smaller learning_rate")
        if validation and loss >= best[0]:
            return best
        self.best_epoch_ = len(self.loss_)
        return loss, dict(self.image_), dict(self.text_)

    def _report(self, epoch):
        """Print the losses of about five epochs."""
        if self.verbose and (epoch + 1) % max(1, self.epochs // 5) == 0:
            held_out = "".join(f", validation {v:.3f}" for v in self.validation_loss_[-1:])
            _say(f"epoch {epoch + 1:3d}: loss {self.loss_[-1]:.3f}{held_out}")


def _same_items(Y, groups):
    """Return int (n,): equal where rows are of one group or have equal text features."""
    equal = np.unique(np.asarray(Y, dtype=float), axis=0, return_inverse=True)[1].ravel()
    return equal if groups is None else joined_groups(equal, group_numbers(groups, len(equal)))


def _targets(labels):
    """Return for `info_nce` the targets (n, n) of rows with these labels (n,)."""
    same = (labels[:, None] == labels) * 1.0
    return same / same.sum(axis=1, keepdims=True)


# ------------------------------------------------------------------------------------------
# Model
# ------------------------------------------------------------------------------------------

OBJECTIVES = {
    "cca": ("cca",),
    "contrastive": ("contrastive",),
    "combined": ("cca", "contrastive"),
}


class CrossModalModel(BaseEstimator):
    """Photos and descriptions in one shared space, where a pair lies close together.

    Parameters
    ----------
    objective : "contrastive", "cca" or "combined"
        Combined adds the scores of the other two, and corrects for hubs.
    image_features, text_features : transformers, optional
        `ImageFeatures()` and `TextFeatures()` by default; anything with fit and transform will do.
    cca, contrastive : aligners, optional
        `CCA()` and `ContrastiveAligner()` by default.
    hub_neighbours : int, optional
        Take off each score how close both items are to this many training items of the other
        kind, on average; 0 for no correction. 10 by default for "combined", 0 otherwise.
    random_state : int
        Seed of what is made by default.

    Attributes
    ----------
    image_features_, text_features_, aligners_ : the fitted parts
    n_neighbours_ : int, how many the correction for hubs compares with
    bank_ : dict of float32 arrays, the training embeddings that it compares with: under "image"
        those of texts, which images are compared with, and the other way round

    Examples
    --------
    >>> model = CrossModalModel().fit(images, texts)  # doctest: +SKIP
    >>> model.retrieve(new_images, descriptions, k=3)  # doctest: +SKIP
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

        Rows of one of the ``groups``, n values, are no negatives of each other. ``validation``,
        optional, is a tuple of images, texts and, if there are any, groups, for early stopping;
        nothing of it enters the features.
        """
        self._check_options()
        if len(check_texts(texts)) != len(images):
            raise ValueError(f"one text per image is needed; {len(images)} and {len(texts)} came")
        seed = {"random_state": self.random_state}
        image_features = (
            clone(self.image_features)
            if self.image_features is not None
            else ImageFeatures(**seed)
        )
        text_features = (
            clone(self.text_features) if self.text_features is not None else TextFeatures(**seed)
        )
        X, Y = image_features.fit_transform(images), text_features.fit_transform(texts)
        if validation:
            images, texts, *rest = validation
            validation = image_features.transform(images), text_features.transform(texts), *rest
        options = {"validation": validation, "groups": groups}
        return self.fit_aligners(X, Y, image_features, text_features, **options)

    def fit_aligners(
        self, X, Y, image_features=None, text_features=None, *, validation=None, groups=None
    ):
        """Fit only the aligners, on rows (n, d) that some featurisers made.

        Fitted featurisers, if given, are kept for `encode_image` and `encode_text`; without them
        `encode_features` encodes rows. ``validation``, optional, is a tuple of rows of images, of
        texts and, if there are any, groups.
        """
        self._check_options()
        made = {"cca": CCA(), "contrastive": ContrastiveAligner(random_state=self.random_state)}
        aligners = []
        for name in OBJECTIVES[self.objective]:
            given = getattr(self, name)
            aligner = made[name] if given is None else clone(given)
            extra = {"validation": validation, "groups": groups} if name == "contrastive" else {}
            aligners.append(aligner.fit(X, Y, **extra))
        k, bank = self.hub_neighbours, {}
        k = (10 if self.objective == "combined" else 0) if k is None else int(k)
        if k:
            some = np.linspace(0, len(X) - 1, min(len(X), 4000)).astype(int)
            rows = {"image": (np.asarray(Y)[some], "text"), "text": (np.asarray(X)[some], "image")}
            bank = {s: _unit_rows(aligners, *of).astype(np.float32) for s, of in rows.items()}
        # Only now, once nothing can fail any more.
        self.image_features_, self.text_features_ = image_features, text_features
        self.aligners_, self.n_neighbours_, self.bank_ = aligners, k, bank
        return self

    def _check_options(self):
        if self.objective not in OBJECTIVES:
            came = f"{self.objective!r} came"
            raise ValueError(f"objective must be one of {list(OBJECTIVES)}; {came}")
        if self.hub_neighbours is not None:
            check_int("hub_neighbours", self.hub_neighbours, 0)

    def encode_image(self, images):
        """Return embeddings of photos, float32 (n, d), rows of unit length."""
        return self.encode_features(self._features("image").transform(images), "image")

    def encode_text(self, texts):
        """Return embeddings of texts, float32 (n, d), rows of unit length."""
        return self.encode_features(self._features("text").transform(texts), "text")

    def _features(self, side):
        """Return the fitted featuriser of a side; ValueError if the model has none."""
        check_is_fitted(self, "aligners_")
        if (features := getattr(self, f"{side}_features_")) is None:
            raise ValueError(f"this model was fitted without {side} features: encode_features")
        return features

    def encode_features(self, X, side):
        """Return embeddings, float32 (n, d), of feature rows; ``side`` is "image" or "text"."""
        check_is_fitted(self, "aligners_")
        if side not in ("image", "text"):
            raise ValueError(f'side must be "image" or "text"; {side!r} came')
        E = _unit_rows(self.aligners_, X, side)
        if self.n_neighbours_:
            E = _with_hub_penalty(E, self.bank_[side], self.n_neighbours_, side == "image")
        return E.astype(np.float32)

    def retrieve(self, images, text_database, k=1):
        """Return for each image its k best descriptions, best first: list of lists of str.

        ``text_database`` is a list of str, or an `EmbeddingIndex` of this model's embeddings, or
        anything with its methods ``search`` and ``items``.
        """
        if hasattr(text_database, "search"):
            found = text_database.search(self.encode_image(images), k)[1]
            if np.size(found) == 0:
                raise ValueError("the database is empty; add descriptions first")
            return text_database.items(found)
        texts = check_texts(text_database)
        found = exact_top_k(self.encode_image(images), self.encode_text(texts), k)[1]
        return [[texts[i] for i in row] for row in found]

    def retrieve_description(self, image, text_database):
        """Return the one description that fits one image (height, width, 3) best: a str."""
        return self.retrieve([image], text_database)[0][0]

    def save(self, path):
        """Write the model to one file by skops, without pickle; a crash leaves the old file."""
        check_is_fitted(self, "aligners_")
        _replace_file(path, lambda file: skops.io.dump(self, file))

    @classmethod
    def load(cls, path, *, trusted=()):
        """Read a model that `save` wrote; ValueError for any other file.

        ``trusted`` names, as "module.Class", the types of parts of your own, beside those of this
        module and of scikit-learn, which may be built from the file.
        """
        parts = (cls, ImageFeatures, TextFeatures, CCA, ContrastiveAligner)
        names = {f"{part.__module__}.{part.__name__}" for part in parts} | set(trusted)
        try:
            with open(path, "rb") as file:
                content = file.read()
            unknown = set(skops.io.get_untrusted_types(data=content)) - names
            if unknown:
                raise ValueError(f"it holds types that are not trusted: {sorted(unknown)}")
            model = skops.io.loads(content, trusted=sorted(names))
        except OSError:
            raise
        except Exception as error:  # a foreign file can fail zip, JSON or skops in any way
            raise ValueError(f"{path} is not a whole model file: {error}") from error
        if not isinstance(model, cls) or not hasattr(model, "aligners_"):
            raise ValueError(f"{path} holds a {type(model).__name__}, no fitted {cls.__name__}")
        return model


def _unit_rows(aligners, X, side):
    """Return the aligners' embeddings of feature rows side by side, rows of unit length."""
    rows = [getattr(aligner, f"transform_{side}")(X) for aligner in aligners]
    return np.hstack(rows) / math.sqrt(len(rows))


def _with_hub_penalty(E, bank, n_neighbours, is_image):
    """Append coordinates that take each item's closeness to the bank off its scores.

    With r the mean of an item's largest scores in the bank, the inner product of an image's row
    and a text's row becomes (score - r_image / 2 - r_text / 2) / 2.25: cross-domain similarity
    local scaling (Conneau et al., ICLR 2018), as a plain inner product of unit rows. The last two
    coordinates meet zeros on the other side and only bring every row to one length.
    """
    k, r, bank = min(n_neighbours, len(bank)), np.empty(len(E)), bank.T.astype(float)
    for start in range(0, len(E), 4096):  # in blocks, to bound the memory
        S = E[start : start + 4096] @ bank
        r[start : start + 4096] = np.partition(S, -k, axis=1)[:, -k:].mean(axis=1)
    pad = np.sqrt(np.maximum(0.25 - np.square(r) / 4, 0))  # |r| <= 1, up to rounding
    one, none = np.ones(len(E)), np.zeros(len(E))
    extra = (-r / 2, one, pad, none) if is_image else (one, -r / 2, none, pad)
    return np.column_stack([E, *extra]) / 1.5


def _replace_file(path, write):
    """Call write(file) on a new file beside path, flush it to disk, then rename it to path."""
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


# ------------------------------------------------------------------------------------------
# Search
# ------------------------------------------------------------------------------------------

BLOCK = 4096  # rows of the database scored at a time: a block and its scores fit the cache
GROUP = 64  # rows of which only the largest score is kept


def exact_top_k(queries, database, k):
    """Return the k items of largest inner product with each query, best first.

    Parameters
    ----------
    queries : array (n_queries, d)
    database : array (n_items, d)
        May be memory-mapped: it is read block by block and never copied whole.
    k : int, from 1 to n_items

    Returns
    -------
    scores, indices : arrays (n_queries, k)
        As a full sort would give, up to the order of items whose scores are equal or differ only
        by rounding. float32 if both matrices are, else float64.

    Notes
    -----
    The scan keeps only the largest score of each small group of items. The k best items lie in
    the k groups of largest maximum, because each better group holds at least one better item.
    Only these are opened and sorted.
    """
    queries = check_matrix(queries, "queries", keep_single=True)
    if getattr(database, "dtype", None) != np.float32 or database.ndim != 2:
        database = check_matrix(database, "database", keep_single=True)
    if queries.shape[1] != database.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} columns and items {database.shape[1]}")
    check_int("k", k, 1)
    if k > len(database):
        raise ValueError(f"k must be at most {len(database)}, the number of items; {k} came")
    size = max(1, min(GROUP, len(database) // (4 * k)))
    parts = [queries[i : i + 256] for i in range(0, len(queries), 256)]
    found = [
        _open_groups(part, database, _group_maxima(part, database, size), size, k)
        for part in parts
    ]
    return tuple(np.concatenate(results) for results in zip(*found, strict=True))


def _group_maxima(queries, database, size):
    """Return the largest score of each group of ``size`` items, (n_groups, n_queries)."""
    columns, step = np.ascontiguousarray(queries.T), size * max(1, BLOCK // size)

    def scan(start):
        S = database[start : start + step] @ columns
        if len(S) % size:  # the last group is filled up
            S = np.pad(S, ((0, -len(S) % size), (0, 0)), constant_values=-np.inf)
        return S.reshape(-1, size, len(queries)).max(axis=1)

    starts = range(0, len(database), step)
    # BLAS on one thread, several blocks at a time: NumPy's maximum then uses all cores as well.
    blas = threadpoolctl.ThreadpoolController().select(user_api="blas")
    n_threads = max((library["num_threads"] for library in blas.info()), default=1)
    with blas.limit(limits=1), concurrent.futures.ThreadPoolExecutor(n_threads) as pool:
        maxima = np.concatenate(list(pool.map(scan, starts)))
    if not np.isfinite(maxima).all():
        check_matrix(database, "database", keep_single=True)
        raise ValueError("scores are too large: scale the rows of both matrices")
    return maxima


def _open_groups(queries, database, maxima, size, k):
    """Return scores and indices (n_queries, k) of the best items in the k best groups."""
    best = np.argpartition(-maxima, min(k, len(maxima)) - 1, axis=0)[:k].T
    items = np.sort(best, axis=1)[:, :, None] * size + np.arange(size)  # (n_queries, k, size)
    items = items.reshape(len(queries), -1)
    opened = database[np.minimum(items, len(database) - 1)]
    S = np.einsum("qid,qd->qi", opened, queries)
    S[items >= len(database)] = -np.inf
    order = np.argsort(-S, axis=1, kind="stable")[:, :k]  # equal scores in order of their index
    return np.take_along_axis(S, order, axis=1), np.take_along_axis(items, order, axis=1)


class EmbeddingIndex:
    """Embeddings and the str that each stands for, searched exactly and kept in a folder.

    Threads may share an index. A loaded one stays on disk: its rows are mapped and read block by
    block, so it may be larger than memory, until `add` or `remove` brings it in. One process at a
    time may save to a folder, and what was not saved is lost with the process: where several
    write, or every change must last, use an engine (notebook 08).

    Examples
    --------
    >>> index = cm.EmbeddingIndex()  # doctest: +SKIP
    >>> ids = index.add(model.encode_text(texts), texts)  # doctest: +SKIP
    >>> scores, ids = index.search(model.encode_image(images), k=3)  # doctest: +SKIP
    >>> index.items(ids)  # doctest: +SKIP
    """

    def __init__(self):
        self._lock, self._parts, self._next_id = threading.RLock(), [], 0

    def __len__(self):
        """Return the number of rows."""
        return sum(len(ids) for _, ids, _, _ in self._parts)

    def add(self, E, items):
        """Add rows of E, kept as float32 (n, d), with a str each; return their ids, int64 (n,).

        Ids count upwards and are never used again.
        """
        E = check_matrix(np.array(E, dtype=np.float32), "E", keep_single=True)
        texts = [item.encode("utf-8", "surrogatepass") + b"\n" for item in check_texts(items)]
        if len(texts) != len(E):
            raise ValueError(f"one item per row is needed; {len(E)} rows and {len(texts)} came")
        lengths, text = np.array(list(map(len, texts))), np.frombuffer(b"".join(texts), np.uint8)
        with self._lock:
            if self._parts:
                check_matrix(E, "E", self._parts[0][0].shape[1], keep_single=True)
            ids = np.arange(self._next_id, self._next_id + len(E))
            self._parts, self._next_id = [*self._parts, (E, ids, lengths, text)], ids[-1] + 1
        return ids

    def _arrays(self):
        """Return rows (n, d), ids (n,), the items' lengths in bytes (n,), and all those bytes."""
        with self._lock:
            if not self._parts:
                raise ValueError("the index is empty; add rows first")
            if len(self._parts) > 1:
                self._parts = [tuple(map(np.concatenate, zip(*self._parts, strict=True)))]
            return self._parts[0]

    def remove(self, ids):
        """Remove rows; ValueError, and nothing is removed, if one of the ids is unknown."""
        with self._lock:
            rows, own, lengths, text = self._arrays()
            keep = np.ones(len(own), dtype=bool)
            keep[_places(own, ids)] = False
            text = text[np.repeat(keep, lengths)]
            self._parts = [(rows[keep], own[keep], lengths[keep], text)]

    def search(self, Q, k):
        """Return scores and ids (n_queries, k) of the rows of largest inner product, best first.

        Exact, as `exact_top_k` with both matrices in float32.
        """
        rows, ids, _, _ = self._arrays()
        Q = check_matrix(Q, "Q", rows.shape[1]).astype(np.float32)
        scores, places = exact_top_k(Q, rows, k)
        return scores, ids[places]

    def items(self, ids):
        """Return the items of ids, an array of any shape, as nested lists of str."""
        _, own, lengths, text = self._arrays()
        places, ends = _places(own, ids), np.cumsum(lengths)
        found = np.empty(places.shape, dtype=object)
        for i, place in np.ndenumerate(places):
            raw = bytes(text[ends[place] - lengths[place] : ends[place] - 1])
            found[i] = raw.decode("utf-8", "surrogatepass")
        return found.tolist()

    def save(self, folder):
        """Write the index to a folder; a crash leaves the old state there or the new one."""
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        others = [f.name for f in folder.iterdir() if not re.search(r"\.npy$|index\.json", f.name)]
        if others:
            raise ValueError(f"{folder} holds something else: {others[0]!r}; choose a new folder")
        with self._lock:
            arrays, state = (
                self._arrays(),
                {"token": uuid.uuid4().hex, "next_id": int(self._next_id)},
            )
        for name, array in zip(("rows", "ids", "lengths", "text"), arrays, strict=True):
            _replace_file(
                folder / f"{name}-{state['token']}.npy", lambda f, a=array: np.save(f, a)
            )
        _replace_file(folder / "index.json", lambda f: f.write(json.dumps(state).encode()))
        for old in folder.glob("*.npy*"):
            if state["token"] not in old.name:
                with contextlib.suppress(OSError):  # Windows keeps files that are still mapped
                    old.unlink()

    @classmethod
    def load(cls, folder):
        """Open a saved index, mapped from its files; ValueError if the folder holds none."""
        index, folder = cls(), pathlib.Path(folder)
        try:
            state = json.loads((folder / "index.json").read_bytes())
            files = [
                folder / f"{n}-{state['token']}.npy" for n in ("rows", "ids", "lengths", "text")
            ]
            rows, ids, lengths, text = (np.load(file, mmap_mode="r") for file in files)
            if not len(rows) == len(ids) == len(lengths) or lengths.sum() != len(text):
                raise ValueError("its files do not belong together")
            index._parts, index._next_id = [(rows, ids, lengths, text)], int(state["next_id"])
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise ValueError(f"{folder} holds no whole index: {error}") from error
        return index


def _places(own, ids):
    """Return where ids stand among an index's own, ascending ones; ValueError if one does not."""
    ids = np.asarray(ids)
    places = np.minimum(np.searchsorted(own, ids), len(own) - 1)
    unknown = ids[own[places] != ids] if len(own) else ids.ravel()
    if unknown.size:
        raise ValueError(f"{unknown.size} unknown or removed ids, such as {unknown[0]}")
    return places


# ------------------------------------------------------------------------------------------
# Evaluation
# ------------------------------------------------------------------------------------------


def same_text(query_texts, item_texts):
    """Return bool (n_queries, n_items): whether the two texts are equal, so that both are hits."""
    query_texts, item_texts = check_texts(query_texts), check_texts(item_texts)
    numbers = group_numbers(["=" + text for text in query_texts + item_texts], None)
    return numbers[: len(query_texts), None] == numbers[len(query_texts) :]


def true_ranks(scores, relevant=None):
    """Return the rank of each query's best relevant item, from 1; ties count against it.

    Parameters
    ----------
    scores : array (n_queries, n_items), larger is better; NaN and infinity are refused
    relevant : bool array (n_queries, n_items), optional
        Which items are right; by default item i for query i.
    """
    S, relevant = _check_scores(scores, relevant)
    best = np.where(relevant, S, -np.inf).max(axis=1, keepdims=True)
    return 1 + ((S >= best) & ~relevant).sum(axis=1)


def _check_scores(scores, relevant):
    """Return scores and relevance after checking that each query has a right item."""
    S = check_matrix(scores, "scores")
    if relevant is None:
        if S.shape[0] > S.shape[1]:
            told = f"{S.shape[0]} queries but {S.shape[1]} items"
            raise ValueError(f"{told}: say which are relevant")
        relevant = np.eye(*S.shape, dtype=bool)
    relevant = np.asarray(relevant)
    if relevant.shape != S.shape or relevant.dtype != bool:
        came = f"{relevant.dtype} {relevant.shape} came"
        raise ValueError(f"relevant must be bool {S.shape}; {came}")
    if not relevant.any(axis=1).all():
        row = int(np.flatnonzero(~relevant.any(axis=1))[0])
        raise ValueError(f"each query needs a relevant item; query {row} has none")
    return S, relevant


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
    """Return the ranks in both directions of n pairs in one database of n.

    Parameters
    ----------
    E_image, E_text : arrays (n, d), row i of one belongs to row i of the other
    texts : list of n str, optional
        If given, any row with the same text is a hit.
    groups : sequence of n values, optional
        If given, any row of the same group is a hit.

    Returns
    -------
    dict of two int arrays (n,): "image_to_text" and "text_to_image"
    """
    E_image = check_matrix(E_image, "E_image")
    E_text = check_matrix(E_text, "E_text", E_image.shape[1], len(E_image))
    labels = group_numbers(groups, len(E_image))
    relevant = labels[:, None] == labels
    if texts is not None:
        relevant |= same_text(texts, texts)
    S = E_image @ E_text.T  # (n, n)
    return {"image_to_text": true_ranks(S, relevant), "text_to_image": true_ranks(S.T, relevant)}


def mean_average_precision(scores, relevant):
    """Return the mean over queries of scikit-learn's average precision; equal scores count as one.

    ``scores`` and ``relevant``, bool, are (n_queries, n_items), as in `true_ranks`.
    """
    pairs = zip(*_check_scores(scores, relevant), strict=True)
    return float(np.mean([average_precision_score(right, row) for row, right in pairs]))


def chance_levels(n_items, n_relevant=1):
    """Return what a random order of n_items scores on average, as `summarize` does.

    ``n_relevant`` says how many items are right for a query: an int, or one for each query.
    """
    check_int("n_items", n_items, 1)
    counts, n_queries = np.unique(np.atleast_1d(n_relevant), return_counts=True)
    if counts[0] < 1 or counts[-1] > n_items:
        raise ValueError(f"n_relevant must be from 1 to {n_items}; {counts[[0, -1]]} came")
    later = np.arange(n_items + 1)  # beyond[j]: the chance that the first right one comes after j
    beyond = [scipy.stats.hypergeom.pmf(0, n_items, count, later) for count in counts]
    beyond = np.average(beyond, axis=0, weights=n_queries)
    recalls = {f"r{k}": float(1 - beyond[min(k, n_items)]) for k in (1, 5, 10)}
    mrr = float(np.sum(-np.diff(beyond) / later[1:]))
    median = (np.argmax(beyond <= 0.5 + 1e-12) + np.argmax(beyond < 0.5 - 1e-12)) / 2
    return {**recalls, "mrr": mrr, "median_rank": float(median)}


def _bootstrap(values, confidence, n_resamples, random_state):
    """Return SciPy's percentile bootstrap of the mean of values (n,)."""
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ValueError("values must be finite numbers, one per query, and at least one")
    if len(values) == 1:  # of which SciPy has no opinion
        values = np.repeat(values, 2)
    rng = np.random.default_rng(random_state)
    options = {"confidence_level": confidence, "n_resamples": n_resamples, "batch": 200}
    return scipy.stats.bootstrap(
        (values,), np.mean, method="percentile", random_state=rng, **options
    )


def bootstrap_interval(values, *, confidence=0.95, n_resamples=2000, random_state=0):
    """Return (low, high) for the mean of one value per query, such as hits 0 or 1.

    The percentile bootstrap over queries (Efron, Annals of Statistics 1979). It knows the luck of
    the draw of queries, not that of training: for that, train with several seeds.
    """
    found = _bootstrap(values, confidence, n_resamples, random_state)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def paired_bootstrap(values_a, values_b, *, confidence=0.95, n_resamples=2000, random_state=0):
    """Compare two systems on the same queries: tell whether the mean of a - b differs from 0.

    Returns
    -------
    dict: difference, low and high of its interval, and p, two-sided, at least 1 / n_resamples
    """
    a, b = np.asarray(values_a, dtype=float), np.asarray(values_b, dtype=float)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"one value per query from both is needed; {a.shape} and {b.shape} came")
    found = _bootstrap(a - b, confidence, n_resamples, random_state)
    means, (low, high) = found.bootstrap_distribution, found.confidence_interval
    p = 2 * min((means <= 0).mean(), (means >= 0).mean())
    p = float(min(1.0, max(p, 1 / n_resamples)))
    return {"difference": float(np.mean(a - b)), "low": float(low), "high": float(high), "p": p}
