"""Cross-modal retrieval: photos find their descriptions, and descriptions their photos.

Reads top to bottom: data, features, alignment, model, search, evaluation, pictures, and last, as
an appendix, the drawing and the grammar of the generated shop. The notebooks derive each idea in
small steps; here stands the form one uses again.

Conventions: one item per row; ``X`` are image features (n, d_image), ``Y`` text features
(n, d_text), ``E`` embeddings (n, d) with rows of unit length, ``S`` scores (n_queries, n_items).
Importing this module changes nothing; all randomness comes from ``random_state``.
"""

import collections
import concurrent.futures
import contextlib
import csv
import functools
import hashlib
import io
import json
import math
import mmap
import os
import pathlib
import re
import threading
import unicodedata
import uuid
import warnings

import matplotlib
import numpy as np
import threadpoolctl
from matplotlib import ft2font
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps, UnidentifiedImageError
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer

FORMAT = 1  # version of the files that CrossModalModel.save writes

# ------------------------------------------------------------------------------------------
# Data
# ------------------------------------------------------------------------------------------


class Catalogue:
    """Items with one image and one text each.

    ``images`` is uint8 (n, height, width, 3), ``texts`` a list of n str, ``attributes`` a dict of
    arrays with n rows. ``catalogue[index]``, an int array, slice, bool mask or one integer, is a
    new Catalogue. ``skipped`` is what `load_catalogue` left out.
    """

    skipped = ()

    def __init__(self, images, texts, attributes=None):
        if isinstance(texts, str):
            raise TypeError("texts must be a list of str; one str came: put it in a list, [text]")
        self.images, self.texts = np.asarray(images), list(texts)
        self.attributes = {name: np.asarray(rows) for name, rows in (attributes or {}).items()}
        kind, shape = self.images.dtype, self.images.shape
        if kind != np.uint8 or len(shape) != 4 or shape[3] != 3:
            raise ValueError(f"images must be uint8 (n, height, width, 3); {kind} {shape} came")
        for name, rows in {"texts": self.texts, **self.attributes}.items():
            if np.ndim(rows) < 1 or len(rows) != len(self):
                came = f"{np.shape(rows)[:1]} came for {len(self)} images"
                raise ValueError(f"{name} must have one row per image; {came}")
        if not all(isinstance(text, str) for text in self.texts):
            raise TypeError("texts must be a list of str")

    def __len__(self):
        """Return the number of items."""
        return len(self.images)

    def __repr__(self):
        """Name the attributes and give the shape of the images."""
        return f"Catalogue(images {self.images.shape}, attributes {list(self.attributes)})"

    def __getitem__(self, index):
        """Return a Catalogue of the chosen items; nothing in it is shared with this one."""
        index = np.zeros(0, dtype=int) if np.size(index) == 0 else index
        rows = np.atleast_1d(np.arange(len(self))[index])
        attributes = {name: values[rows] for name, values in self.attributes.items()}
        return Catalogue(self.images[rows], [self.texts[i] for i in rows], attributes)

    def split(self, *, validation, test, random_state):
        """Return (train, validation, test) Catalogues of these many items, the rest in train.

        Items of one "group" (an attribute) never fall in two parts: what the last group of a part
        has too many is dropped. ValueError if a size is no int >= 0 or nothing is left to train.
        """
        for name, size in (("validation", validation), ("test", test)):
            _need_int(name, size, 0)
        groups = self.attributes.get("group", np.arange(len(self)))
        values, inverse = np.unique(groups, return_inverse=True)
        rank = np.random.default_rng(random_state).permutation(len(values))[inverse]
        order, start, parts = np.argsort(rank, kind="stable"), 0, []
        for size in (test, validation):
            parts.insert(0, order[start : start + size])
            start += size
            while 0 < start < len(order) and size and rank[order[start]] == rank[order[start - 1]]:
                start += 1
        if start >= len(order):
            sizes = f"validation={validation} and test={test}"
            raise ValueError(f"{sizes} leave nothing to train on of {len(self)} items")
        return tuple(self[np.sort(part)] for part in (order[start:], *parts))


def _need_int(name, value, least):
    """Raise ValueError unless value is an integer of at least this much."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} must be an int >= {least}; {value!r} came")


def _need_number(name, value, least, below=math.inf):
    """Raise ValueError unless value is a number from least to under below."""
    if not isinstance(value, int | float | np.number) or not least <= value < below:
        limit = f"below {below}" if below < math.inf else "finite"
        raise ValueError(f"{name} must be a number >= {least} and {limit}; {value!r} came")


def load_catalogue(
    path,
    *,
    image_column="image",
    text_column="text",
    on_error="raise",
    size=64,
    delimiter=",",
    encoding="utf-8-sig",
):
    """Return a Catalogue of the pictures and texts that a CSV file names.

    Parameters
    ----------
    path : str or path
        The CSV file. Its first line names the columns; blank lines do not count.
    image_column, text_column : str
        Columns of the pictures' paths, relative to the file's own folder, and of the texts.
    on_error : "raise" or "skip"
        What a bad row does: all are named in one error, or left out and counted in print.
    size : int
        Side in pixels of the pictures, see `as_photos`; 100,000 of 64 pixels take 1.2 GB.
    delimiter, encoding : str
        Of the file, never guessed. "utf-8-sig" is UTF-8 with or without Excel's mark.

    Returns
    -------
    Catalogue
        Attributes hold every column but the text's as str (dtype object); a column named "group"
        keeps its items together in `split`. ``skipped`` lists (line, reason) of each row left out.

    Raises
    ------
    ValueError
        With every bad row by line: a wrong number of fields; no text, or one that stands for none
        (``NO_VALUE``); a path that is empty, a web address, leads out of the folder or to no file;
        a file that Pillow cannot read whole, or of more pixels than it allows. With "skip" only
        if no row is good. Always if encoding, quotes or header are broken: no row is safe then.
    """
    _need_int("size", size, 16)
    if on_error not in ("raise", "skip"):
        raise ValueError(f'on_error must be "raise" or "skip"; {on_error!r} came')
    path = pathlib.Path(path)
    names, rows = _read_csv(path, delimiter, encoding)
    places = [_column(path, names, name) for name in (image_column, text_column)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on oddities that Pillow copes with
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        images, kept, bad = _read_rows(path.parent.resolve(), rows, len(names), *places, size)
    _tell_bad_rows(path, bad, len(rows), on_error == "raise" or not kept)
    columns = dict(zip(names, zip(*kept, strict=True), strict=True))
    texts = [value.strip() for value in columns.pop(text_column)]
    columns.pop("", None)
    attributes = {name: np.array(values, dtype=object) for name, values in columns.items()}
    catalogue = Catalogue(images, texts, attributes)
    catalogue.skipped = bad
    return catalogue


# What tables write where there is no value, in small letters.
NO_VALUE = ("", "nan", "none", "null", "na", "n/a", "<na>", "#n/a", "\\n")


def _read_csv(path, delimiter, encoding):
    """Return the names of a CSV file's columns, and its rows as (line, fields)."""
    try:
        text = path.read_bytes().decode(encoding)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        byte = error.object[error.start]
        told = f"{path.name} is not {encoding}: byte {byte:#04x} in line {line}"
        other = 'such as "cp1252" (Latin-1, Excel on Windows) or "utf-16"'
        raise ValueError(f"{told}; pass its own encoding, {other}") from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line, rows = 1, []
    try:
        for fields in reader:
            if fields:
                rows.append((line, fields))
            line = reader.line_num + 1  # a record may run over several lines
    except csv.Error as error:
        told = f"{path.name}, line {line}: {error}"
        raise ValueError(f"{told}; mend it, a quote there may never close") from error
    if len(rows) < 2:
        missing = "rows below its header" if rows else "header: its first line must name columns"
        raise ValueError(f"{path.name} has no {missing}")
    return [name.strip() for name in rows[0][1]], rows[1:]


def _column(path, names, name):
    """Return the place of a column; ValueError unless it, and any named column, stands once."""
    if name not in names:
        told = f"{path.name} has no column {name!r}, it has {names!r:.300}"
        raise ValueError(f"{told}; pass image_column, text_column or another delimiter")
    twice = [column for column, n in collections.Counter(names).items() if column and n > 1]
    if twice:
        raise ValueError(f"{path.name} has more than one column {twice[0]!r}; rename one")
    return names.index(name)


def _read_rows(folder, rows, n_fields, picture, text, size):
    """Return the images and the fields of the good rows, and (line, reason) of the bad ones.

    One picture is held at a time at its full size.
    """
    images, kept, bad = np.empty((len(rows), size, size, 3), dtype=np.uint8), [], []
    for number, (line, fields) in enumerate(rows, 1):
        try:
            _check_fields(fields, n_fields, text)
            images[len(kept)] = _read_picture(folder, fields[picture].strip(), size)
            kept.append(fields)
        except ValueError as error:
            bad.append((line, str(error)))
        if number % 2000 == 0:
            print(f"{number:,} of {len(rows):,} rows read", flush=True)
    return images[: len(kept)], kept, bad


def _check_fields(fields, n_fields, text):
    """Raise ValueError unless a row has this many fields and a text."""
    if len(fields) != n_fields:
        raise ValueError(f"wrong number of fields: {len(fields)}, the header has {n_fields}")
    if (value := fields[text].strip()).casefold() in NO_VALUE:
        raise ValueError(f"no text: {value!r}")
    if "\0" in value:
        raise ValueError(f"a zero byte in the text: {value!r:.60}")


def _read_picture(folder, name, size):
    """Return the picture in a file as uint8 (size, size, 3); ValueError if there is none."""
    detail = ""
    try:
        path, why = _find_picture(folder, name)
        if not why:
            with Image.open(path) as image:
                if image.format == "EPS":  # a program, which Ghostscript may run for ever
                    raise ValueError("an EPS file: save it as PNG")
                image.draft(None, (3 * size, 3 * size))  # large JPEGs come smaller, and sooner
                return _fit(ImageOps.exif_transpose(image), size)
    except UnidentifiedImageError:
        why = "not a picture that Pillow knows"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        why = f"more pixels than Pillow's limit of {Image.MAX_IMAGE_PIXELS:,}"
    except Exception as error:  # a damaged file can fail a decoder in any way
        why, detail = "unreadable", f" ({getattr(error, 'strerror', None) or error})"
    raise ValueError(f"{why}: {name!r:.80}{detail:.120}")


def _find_picture(folder, name):
    """Return the path of a picture, and the reason against reading it, or an empty one."""
    if name.casefold() in NO_VALUE:
        return None, "no image"
    if re.match(r"(?i)[a-z][a-z\d+.-]+://|data:", name):
        return None, "a web address, to be downloaded first"
    path = (folder / name.replace("\\", "/")).resolve()
    if not path.is_relative_to(folder):
        return path, "leads out of the CSV file's folder"
    if not path.is_file():  # a pipe is none either: one would wait for it
        return path, "a folder, not a file" if path.is_dir() else "no such file"
    return path, "" if path.stat().st_size else "an empty file"


def _tell_bad_rows(path, bad, n_rows, is_error):
    """Raise ValueError that lists the bad rows, at most 20, or print how many of which kind."""
    if bad and is_error:
        lines = [f"\n  line {line}: {why}" for line, why in bad[:20]]
        more = f"\n  and {len(bad) - 20} more" if len(bad) > 20 else ""
        advice = 'mend them, or pass on_error="skip"' if len(bad) < n_rows else "no row is good"
        told = f"{path.name}: {len(bad)} of {n_rows} rows are bad; {advice}"
        raise ValueError(told + "".join(lines) + more)
    kinds = collections.Counter(why.partition(":")[0] for _, why in bad).most_common()
    if bad:
        counts = ", ".join(f"{n:,} {kind}" for kind, n in kinds)
        print(f"{path.name}: {len(bad):,} of {n_rows:,} rows skipped ({counts})", flush=True)


def load_characters(*, font="DejaVuSans.ttf", size=48):
    """Return a Catalogue of all named characters a font of Matplotlib draws, black on white.

    One scale and one baseline for all, uint8 (n, size, size, 3); texts are the Unicode names;
    attributes hold "codepoint". ValueError if Matplotlib has no such font or size is under 16.
    """
    _need_int("size", size, 16)
    folder = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf")
    if font not in (fonts := sorted(path.name for path in folder.glob("*.ttf"))):
        raise ValueError(f"font {font!r} does not ship with Matplotlib; choose one of {fonts}")
    path, plain = str(folder / font), ImageFont.Layout.BASIC
    face = functools.cache(lambda points: ImageFont.truetype(path, points, layout_engine=plain))
    codes = sorted(ft2font.FT2Font(path).get_charmap())
    codes = [code for code in codes if unicodedata.name(chr(code), "")]
    drawn = [_character(chr(code), face, int(size)) for code in codes]
    codes = [code for code, image in zip(codes, drawn, strict=True) if image is not None]
    images = np.stack([image for image in drawn if image is not None])[..., None]
    names = [unicodedata.name(chr(code)) for code in codes]
    return Catalogue(np.repeat(images, 3, axis=3), names, {"codepoint": np.array(codes)})


def _character(character, face, size):
    """Draw one character; None if it draws nothing.

    It is shrunk or moved only if it does not fit: 5 and 2 of the 5,749 of DejaVu Sans.
    """
    points = size * 5 // 8
    while True:
        left, top, right, bottom = face(points).getbbox(character, anchor="ls")
        if max(right - left, bottom - top) <= size:
            break
        points -= 1
    x = (size - round(face(points).getlength(character))) // 2
    x, y = min(max(x, -left), size - right), min(max(size * 11 // 16, -top), size - bottom)
    image = Image.new("L", (size, size), 255)
    ImageDraw.Draw(image).text((x, y), character, fill=0, font=face(points), anchor="ls")
    return np.asarray(image) if image.getextrema()[0] < 255 else None


# ------------------------------------------------------------------------------------------
# Features: a photo and a text each become one row of numbers
# ------------------------------------------------------------------------------------------


def as_photos(images, size):
    """Return images as uint8 (n, size, size, 3), resized to fit and padded to a square.

    Parameters
    ----------
    images : uint8 array (n, height, width, 3), or list of arrays or Pillow images of any size
        Of any mode: grey, palette, 16-bit and CMYK pictures become RGB, transparent ones lie on
        white. Arrays of the right size come back as they are, not copied.
    size : int
        Side of the result in pixels. The padding has the median colour of the picture's top and
        bottom rows.

    Raises
    ------
    ValueError, TypeError
        If there is no image, one image came instead of many, or an array is not uint8.
    """
    if isinstance(images, Image.Image) or getattr(images, "ndim", 4) in (2, 3):
        raise ValueError(
            "images must be many: an array (n, height, width, 3) or a list of pictures; "
            "one image came: put it in a list, [image]"
        )
    if not hasattr(images, "__len__") or isinstance(images, str):
        raise TypeError(f"images must be an array or a list of pictures; {images!r:.40} came")
    if len(images) == 0:
        raise ValueError("images is empty; at least one image is needed")
    if isinstance(images, np.ndarray) and images.dtype != object:
        _check_uint8(images, "images", 4)
        if images.shape[1:3] == (size, size):
            return images
    return np.stack([_fit(image, size) for image in images])


def _check_uint8(image, name, ndim):
    """Raise unless this is an RGB array of uint8 with this many axes."""
    if image.dtype != np.uint8:
        raise TypeError(f"{name} must be uint8 from 0 to 255; {image.dtype} came: convert first")
    if image.ndim != ndim or image.shape[-1] != 3 or 0 in image.shape:
        shape = "(n, height, width, 3)" if ndim == 4 else "(height, width, 3)"
        raise ValueError(f"{name} must have shape {shape}; {image.shape} came")


def _rgb(image):
    """Return an array or a Pillow image of any mode as a Pillow image in RGB."""
    if not isinstance(image, Image.Image):
        image = np.asarray(image)
        if image.dtype == np.uint8 and image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=2)
        _check_uint8(image, "each image", 3)
        return Image.fromarray(image)
    if 0 in image.size:
        raise ValueError(f"each image must have pixels; one of {image.size} came")
    if image.mode[0] in "IF":  # Pillow would cut these off at 255 and show white
        grey = np.asarray(image, dtype=float)
        if not np.isfinite(grey).all():
            raise ValueError("each image must be finite; one holds NaN or infinity")
        top = 65535 if image.mode[0] == "I" and (";" in image.mode or grey.max() > 255) else 255
        top = 1 if image.mode == "F" and grey.max() <= 1 else top
        image = Image.fromarray(np.clip(grey * (255 / top), 0, 255).astype(np.uint8))
    if image.mode[-1] not in "Aa" and "transparency" not in image.info:
        return image.convert("RGB")
    image, canvas = image.convert("RGBA"), Image.new("RGB", image.size, "white")
    canvas.paste(image, mask=image.getchannel("A"))
    return canvas


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


class ImageFeatures(TransformerMixin, BaseEstimator):
    """Turn photos into rows of numbers: edges, colours, small patches, then PCA.

    Six views of each photo: its pixels, made coarse; edge directions over the photo and, at two
    scales, over the product cut out from its backdrop; a colour histogram on a 3 x 3 grid; and how
    much each region resembles small patches learned from the training photos. Each view is
    scaled to the same total variance and compressed by PCA, and all of them once more together.

    Parameters
    ----------
    n_components : int
        Length of a row, at most; fewer where there are fewer photos.
    size : int
        Side in pixels to which photos are brought, at least 16; best a multiple of 16.
    n_patches : int
        How many patches to learn; 0 leaves that view out.
    random_state : int
        Seed of the patches and of randomised PCA.

    Attributes
    ----------
    patches_ : dict of arrays, what is learned about small patches; empty if there is none
    blocks_ : list of dicts of arrays, mean (d,), components (n_block, d) of each view
    mean_, components_ : arrays of the last PCA
    n_features_out_ : int

    Notes
    -----
    Edges after Dalal and Triggs (CVPR 2005), patches after Coates, Lee and Ng (AISTATS 2011).
    """

    def __init__(self, *, n_components=600, size=64, n_patches=96, random_state=0):
        self.n_components = n_components
        self.size = size
        self.n_patches = n_patches
        self.random_state = random_state

    def fit(self, images, y=None):
        """Learn patches and principal axes from training photos (n, height, width, 3)."""
        self.fit_transform(images)
        return self

    def fit_transform(self, images, y=None):
        """Fit on photos and return their rows, float64 (n, n_features_out_)."""
        for name, least in (("n_components", 1), ("size", 16), ("n_patches", 0)):
            _need_int(name, getattr(self, name), least)
        photos = as_photos(images, self.size)
        if len(photos) < 2:
            raise ValueError(f"at least 2 photos are needed to fit; {len(photos)} came")
        rng = np.random.default_rng(self.random_state)
        self.patches_ = _learn_patches(photos, self.n_patches, rng) if self.n_patches else {}
        blocks, parts = [], []
        for view in self._views(photos):
            mean = view.mean(axis=0)
            scale = np.sqrt(np.square(view - mean).sum(axis=1).mean()) or 1.0
            pca = self._pca(view / scale, max(1, self.n_components // 2))
            blocks.append({"mean": mean, "components": pca.components_ / scale})
            parts.append((view - mean) @ blocks[-1]["components"].T)
        self.blocks_ = blocks
        last = self._pca(X := np.hstack(parts), self.n_components)
        self.mean_, self.components_ = last.mean_, last.components_
        self.n_features_out_ = len(last.components_)
        return (X - self.mean_) @ self.components_.T

    def transform(self, images):
        """Return the rows of photos, float64 (n, n_features_out_)."""
        _check_fitted(self, "components_")
        views = zip(self._views(as_photos(images, self.size)), self.blocks_, strict=True)
        parts = [(view - block["mean"]) @ block["components"].T for view, block in views]
        return (np.hstack(parts) - self.mean_) @ self.components_.T

    def _pca(self, view, n_components):
        """Fit scikit-learn's PCA with as many components as the data allow."""
        n = min(n_components, view.shape[1], len(view) - 1)
        pca = PCA(n, svd_solver="randomized", iterated_power=2, random_state=self.random_state)
        with np.errstate(invalid="ignore"):  # photos all alike explain 0 of a variance of 0
            return pca.fit(view)

    def _views(self, photos):
        """Return the raw views of all photos, computed in batches to bound the memory."""
        batches = [photos[i : i + 128] for i in range(0, len(photos), 128)]
        # Two at a time: NumPy lets other threads work while it computes, and no batch
        # depends on another, so the result is the same.
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            batches = list(pool.map(lambda x: _raw_views(x / 255.0, self.patches_), batches))
        return [np.concatenate(view) for view in zip(*batches, strict=True)]


def _raw_views(x, patches):
    """Return the views of one batch of photos, float (n, size, size, 3) from 0 to 1."""
    border = np.concatenate([x[:, 0], x[:, -1], x[:, :, 0], x[:, :, -1]], axis=1)
    backdrop = np.median(border, axis=1)[:, None, None]
    contrast = np.abs(x - backdrop).max(axis=3)  # (n, size, size): how unlike the backdrop
    box = _bounding_boxes(contrast > 0.08)
    crop = _resample(x, box, 48)
    small = _pool(crop, 2)  # (n, 24, 24, 3)
    weight = np.clip(_pool(_resample(contrast[..., None], box, 48), 2)[..., 0] / 0.08 - 0.5, 0, 1)
    views = [
        _pool(x, x.shape[1] // 16).reshape(len(x), -1),
        *_edges(x, 8),
        *_edges(crop, 6, 12),
        _colours(small, weight, 3),
    ]
    return [*views, _patch_responses(x, patches, 3)] if patches else views


def _bounding_boxes(mask):
    """Return top, bottom, left, right (4, n) of what is True, less a stray half per cent."""
    limits = []
    for axis in (2, 1):
        count = np.cumsum(mask.sum(axis=axis), axis=1)
        share = count / np.maximum(count[:, -1:], 1)
        low = (share < 0.005).sum(axis=1)
        high = np.minimum((share < 0.995).sum(axis=1) + 1, mask.shape[1])
        empty = high - low < 4  # nothing stands out: take the whole photo
        limits += [np.where(empty, 0, low), np.where(empty, mask.shape[1], high)]
    return np.array(limits, dtype=float)


def _resample(x, box, size):
    """Cut a box out of each photo and bring it to size x size by linear interpolation."""
    low, part = _grid(*box[:2], size, x.shape[1])
    left, share = _grid(*box[2:], size, x.shape[1])
    item, part = np.arange(len(x))[:, None], part[:, :, None, None]
    rows = x[item, low] * (1 - part) + x[item, low + 1] * part  # (n, size, width, channels)
    item, low, share = item[:, :, None], np.arange(size)[None, :, None], share[:, None, :, None]
    left = left[:, None, :]
    return rows[item, low, left] * (1 - share) + rows[item, low, left + 1] * share


def _grid(start, stop, size, side):
    """Return the pixel before each sample point (n, size), and how far behind it the point is."""
    at = start[:, None] + (stop - start)[:, None] * (np.arange(size) + 0.5) / size - 0.5
    at = np.clip(at, 0, side - 1)
    before = np.minimum(at.astype(int), side - 2)
    return before, at - before


def _pool(x, cell):
    """Average cells of cell x cell pixels: (n, s, s, c) becomes (n, s // cell, s // cell, c)."""
    n, side, channels = len(x), x.shape[1] // cell, x.shape[3]
    x = x[:, : side * cell, : side * cell].reshape(n, side, cell, side, cell, channels)
    return x.sum(axis=4).sum(axis=2) / cell**2


def _edges(x, *cells, n_directions=8):
    """Return how strong edges of each direction are, one array (n, ...) for each size of cell.

    Directions are told by projection, (gradient . direction)**4, not by arctangent: products and
    sums are the same to the last bit on every processor.
    """
    down, right = np.zeros_like(x), np.zeros_like(x)
    down[:, 1:-1] = x[:, 2:] - x[:, :-2]
    right[:, :, 1:-1] = x[:, :, 2:] - x[:, :, :-2]
    channel = (np.square(down) + np.square(right)).argmax(axis=3)[..., None]
    down, right = (np.take_along_axis(g, channel, axis=3)[..., 0] for g in (down, right))
    length = np.sqrt(np.square(down) + np.square(right)) + 1e-3
    down, right, turns = down / length, right / length, []
    for angle in (math.pi * i / n_directions for i in range(n_directions)):
        along = right * math.cos(angle) + down * math.sin(angle)
        turns.append(np.square(np.square(along)) * length)
    finest = _pool(np.stack(turns, axis=3), cells[0])
    return [_even_out(_pool(finest, cell // cells[0])) for cell in cells]


def _even_out(cells):
    """Divide edge strengths by their surroundings' and take roots: faint edges count as well."""
    energy = np.pad(np.square(cells).sum(axis=3), ((0, 0), (1, 1), (1, 1)), mode="edge")
    side = cells.shape[1]
    around = sum(energy[:, i : i + side, j : j + side] for i in range(3) for j in range(3)) / 9
    return np.sqrt(cells / np.sqrt(around + 1e-3)[..., None]).reshape(len(cells), -1)


def _colours(x, weight, grid, bins=6):
    """Return the square root of colour histograms (n, grid**2 * bins**3), weighted by pixel.

    Each pixel is shared among the eight nearest bins of the colour cube in proportion.
    """
    n, side = x.shape[:2]
    low = np.minimum((x * (bins - 1)).astype(int), bins - 2)
    part = x * (bins - 1) - low
    cell = np.arange(side) * grid // side
    cell = np.arange(n)[:, None, None] * grid**2 + (cell[:, None] * grid + cell)
    table = np.zeros(n * grid**2 * bins**3)
    for corner in np.ndindex(2, 2, 2):
        share, place = weight, cell
        for c, up in enumerate(corner):
            share = share * (part[..., c] if up else 1 - part[..., c])
            place = place * bins + low[..., c] + up
        table += np.bincount(place.ravel(), share.ravel(), minlength=len(table))
    table = table.reshape(n, -1)
    return np.sqrt(table / np.maximum(table.sum(axis=1, keepdims=True), 1e-9))


def _cut_patches(x, stride, side=6):
    """Return all side x side patches at this stride, (n, rows, columns, side * side * 3)."""
    view = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))
    view = view[:, ::stride, ::stride]
    return view.reshape(*view.shape[:3], -1)


def _learn_patches(photos, n_patches, rng):
    """Return a mean, a whitening and unit centres of small patches, by k-means."""
    some = photos[np.sort(rng.permutation(len(photos))[:800])] / 255.0
    patches = _cut_patches(some, 3).reshape(-1, 108)
    patches = patches[patches.std(axis=1) > 0.02]  # flat backdrop teaches nothing
    if len(patches) < 2 * n_patches:
        return {}
    patches = patches[rng.permutation(len(patches))[:30000]]
    mean = patches.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov(patches.T))
    whiten = axes / np.sqrt(np.maximum(values, 0) + 0.01 * values.mean()) @ axes.T
    white = _unit((patches - mean) @ whiten)
    kmeans = MiniBatchKMeans(n_patches, random_state=0, n_init=1, max_iter=20, batch_size=4096)
    return {"mean": mean, "whiten": whiten, "centres": _unit(kmeans.fit(white).cluster_centers_)}


def _patch_responses(x, patches, grid):
    """Return how strongly each region answers to each patch and its negative, square-rooted."""
    cut = _cut_patches(x, 3)
    shape = cut.shape[:3]
    cut = (cut.reshape(-1, cut.shape[3]) - patches["mean"]) @ patches["whiten"]
    cut /= np.sqrt(np.square(cut).sum(axis=1, keepdims=True)) + 1e-3
    answer = (cut @ patches["centres"].T).reshape(*shape, -1)
    edges = np.linspace(0, shape[1], grid + 1).astype(int)[:-1]
    regions = []
    for sign in (1, -1):
        strong = np.maximum(sign * answer - 0.25, 0)
        strong = np.add.reduceat(np.add.reduceat(strong, edges, axis=1), edges, axis=2)
        regions.append(strong * grid**2 / (shape[1] * shape[2]))
    return np.sqrt(np.concatenate(regions, axis=3)).reshape(len(x), -1)


class TextFeatures(TransformerMixin, BaseEstimator):
    """Turn texts into rows of numbers: weighted counts of words and word pairs, then SVD.

    Parameters
    ----------
    n_components : int
        Length of a row, at most; fewer where the vocabulary is small.
    ngrams : tuple of 2 ints
        Shortest and longest run of words to count.
    min_count : int
        Words in fewer training texts are left out.
    random_state : int
        Seed of the randomised SVD.

    Attributes
    ----------
    vocabulary_ : array of str (n_terms,); idf_ : array (n_terms,)
    components_ : array (n_features_out_, n_terms)
    """

    def __init__(self, *, n_components=800, ngrams=(1, 2), min_count=2, random_state=0):
        self.n_components = n_components
        self.ngrams = ngrams
        self.min_count = min_count
        self.random_state = random_state

    def fit(self, texts, y=None):
        """Learn vocabulary and axes from training texts (list of str)."""
        self.fit_transform(texts)
        return self

    def fit_transform(self, texts, y=None):
        """Fit on texts and return their rows, float64 (n, n_features_out_)."""
        for name in ("n_components", "min_count"):
            _need_int(name, getattr(self, name), 1)
        counter = self._counter(min_df=min(self.min_count, len(check_texts(texts))))
        try:
            counts = counter.fit_transform(texts)
            n = min(self.n_components, *(max(1, side - 1) for side in counts.shape))
            with np.errstate(invalid="ignore"):  # texts all alike explain 0 of a variance of 0
                svd = TruncatedSVD(n, random_state=self.random_state).fit(counts)
        except ValueError as error:
            raise ValueError(
                "at least 2 words or word pairs must occur in "
                f"min_count={self.min_count} texts or more: {error}"
            ) from error
        self.vocabulary_, self.idf_ = counter.get_feature_names_out().astype(str), counter.idf_
        self.components_, self.n_features_out_ = svd.components_, n
        return counts @ self.components_.T

    def transform(self, texts):
        """Return the rows of texts, float64 (n, n_features_out_); unknown words count nothing."""
        _check_fitted(self, "components_")
        counter = self._counter(vocabulary=self.vocabulary_.tolist())
        counter.idf_ = self.idf_
        return counter.transform(check_texts(texts)) @ self.components_.T

    def _counter(self, **options):
        """Return a TfidfVectorizer that keeps one-letter words, and each digit as a word."""
        pattern = r"(?u)[^\W\d_]+|\d"
        options = {"ngram_range": tuple(self.ngrams), "sublinear_tf": True, **options}
        return TfidfVectorizer(token_pattern=pattern, **options)


def check_texts(texts):
    """Return texts unchanged if they are a non-empty list of str; raise otherwise."""
    if isinstance(texts, str):
        raise TypeError("texts must be a list of str; one str came: put it in a list, [text]")
    if not hasattr(texts, "__len__"):
        raise TypeError(f"texts must be a list of str; {texts!r:.40} came")
    if len(texts) == 0:
        raise ValueError("texts is empty; at least one text is needed")
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts must be str; row {row} is {type(text).__name__} {text!r:.40}")
    return texts


def _check_fitted(estimator, name):
    """Raise NotFittedError, a ValueError, unless the estimator has this attribute."""
    if not hasattr(estimator, name):
        raise NotFittedError(f"this {type(estimator).__name__} is not fitted; call fit first")


# ------------------------------------------------------------------------------------------
# Alignment: from two feature spaces into one shared space
# ------------------------------------------------------------------------------------------


def _unit(X):
    """Return rows scaled to length 1; a row of zeros stays."""
    return X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-12)


def check_matrix(X, name, n_columns=None, n_rows=None, *, keep_single=False, finite=True):
    """Return X as float64 (n, d); raise a clear error unless it is a finite matrix that fits.

    With ``keep_single``, float32 stays float32. What need not be converted is not copied. Without
    ``finite``, whether its numbers are finite is left to the caller, and they are not read.
    """
    try:
        X = np.asarray(X)
    except ValueError as error:  # rows of unequal length
        raise ValueError(f"{name} must be a matrix of numbers: {error}") from error
    if X.dtype.kind not in "biuf":
        came = type(X[()]).__name__ if X.ndim == 0 else X.dtype
        raise TypeError(f"{name} must be a matrix of numbers; {came} came")
    X = X if keep_single and X.dtype == np.float32 else X.astype(float, copy=False)
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"{name} must have shape (n, d), one row an item; {X.shape} came")
    if n_columns is not None and X.shape[1] != n_columns:
        raise ValueError(f"{name} must have {n_columns} columns, as in fit; {X.shape[1]} came")
    if n_rows is not None and len(X) != n_rows:
        raise ValueError(f"{name} must have {n_rows} rows, one a pair; {len(X)} came")
    if finite and not np.isfinite(X).all():
        _refuse_row(name, int(np.isfinite(X).all(axis=1).argmin()))
    return X


def _refuse_row(name, row):
    """Raise the error that a row is not finite."""
    raise ValueError(f"{name} must be finite; row {row} holds NaN or infinity: mend or drop it")


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


def _pair(shrinkage):
    """Return shrinkage as (image, text)."""
    pair = (shrinkage, shrinkage) if np.ndim(shrinkage) == 0 else tuple(shrinkage)
    if len(pair) != 2:
        raise ValueError(f"regularization must be one number or two; {shrinkage!r} came")
    for value in pair:
        _need_number("regularization", value, 0)
    return pair


class _Aligner(BaseEstimator):
    """What the aligners share: two maps from features to unit rows in one space."""

    def transform_image(self, X):
        """Return unit embeddings float64 (n, n_components) of image features (n, d_image)."""
        return self._embed(X, "image")

    def transform_text(self, Y):
        """Return unit embeddings float64 (n, n_components) of text features (n, d_text)."""
        return self._embed(Y, "text")

    def _embed(self, X, side):
        _check_fitted(self, "image_")
        maps = getattr(self, f"{side}_")
        X = check_matrix(X, f"{side} features", n_columns=len(maps["mean"]))
        return _unit(tower((X - maps["mean"]) @ maps["whiten"], maps)[0])

    def _whitened(self, X, Y):
        """Check pairs; return whitened features of both, and start each side's maps."""
        X = check_matrix(X, "image features")
        Y = check_matrix(Y, "text features", n_rows=len(X))
        if len(X) < 2:
            raise ValueError(f"at least 2 pairs are needed to align; {len(X)} came")
        shrinkages = _pair(self.regularization)
        image, text = (whitening(Z, c) for Z, c in zip((X, Y), shrinkages, strict=True))
        self.image_, self.text_ = ({"mean": m, "whiten": W} for m, W in (image, text))
        return [(Z - mean) @ whiten for Z, (mean, whiten) in ((X, image), (Y, text))]


def canonical_directions(A, B):
    """Return directions P (d_image, k), Q (d_text, k) and correlations (k,) of whitened pairs.

    The singular value decomposition of A.T @ B / n; k is the smaller width. Signs are fixed (the
    largest entry of each column of P is positive), so pictures do not flip between machines.
    """
    P, correlations, Qt = np.linalg.svd(A.T @ B / len(A), full_matrices=False)
    signs = _signs(P)
    return P * signs, Qt.T * signs, np.clip(correlations, 0, 1)


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
        _need_int("n_components", self.n_components, 1)
        _need_number("weight_power", self.weight_power, 0)
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
        default; pairs with one text share theirs, so that no true match counts as a negative.

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
    batch_size : int
        Pairs in a batch, about: batches are of equal size.
    epochs : int
        Passes over the pairs, at most.
    learning_rate : float
        Adam's, at its height.
    dropout : float
        Share of the hidden units left out at each step.
    regularization : float or (image, text)
        Shrinkage of the whitening, as in CCA.
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

    def fit(self, X_image, X_text, *, validation=None):
        """Train on pairs (n, d_image), (n, d_text); early stopping if validation pairs are given.

        ``validation`` is a tuple of such two matrices. Pairs with equal text rows are not each
        other's negatives in training.
        """
        self._check_options()
        rng = np.random.default_rng(self.random_state)
        A, B = self._whitened(X_image, X_text)
        validation = validation and self._check_validation(*validation)
        self._start(A, B, rng)
        groups = np.unique(np.asarray(X_text, dtype=float), axis=0, return_inverse=True)[1].ravel()
        self.loss_, self.validation_loss_, best = [], [], (np.inf, None)
        moments, n_batches = {}, max(1, round(len(A) / self.batch_size))
        for epoch in range(self.epochs):
            losses = []
            for k, rows in enumerate(np.array_split(rng.permutation(len(A)), n_batches)):
                progress = (epoch * n_batches + k + 1) / (self.epochs * n_batches)
                losses.append(self._step(A[rows], B[rows], groups[rows], moments, progress, rng))
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
            _need_int(name, getattr(self, name), 1)
        _need_int("hidden_size", self.hidden_size, 0)
        for name in ("temperature", "learning_rate"):
            _need_number(name, getattr(self, name), 1e-9)
        _need_number("dropout", self.dropout, 0, 1)

    def _check_validation(self, X, Y):
        """Return validation pairs after checking them, before time is spent on training."""
        X = check_matrix(X, "validation image features", len(self.image_["mean"]))
        return X, check_matrix(Y, "validation text features", len(self.text_["mean"]), len(X))

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

    def _step(self, A, B, groups, moments, progress, rng):
        """Take one step of Adam on one batch; return its loss before the step."""
        same = (groups[:, None] == groups) * 1.0
        shape, keep = (len(A), self.hidden_size), 1 - self.dropout
        masks = [(rng.random(shape) >= self.dropout) / keep for _ in range(2)]
        sides = list(zip((A, B), (self.image_, self.text_), masks, strict=True))
        E = [_unit(tower(*side)[0]) for side in sides]
        loss, *grads = info_nce(*E, self.temperature, same / same.sum(axis=1, keepdims=True))
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
            E_image, E_text = (
                self.transform_image(validation[0]),
                self.transform_text(validation[1]),
            )
            loss = info_nce(E_image, E_text, self.temperature)[0]
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
            print(f"epoch {epoch + 1:3d}: loss {self.loss_[-1]:.3f}{held_out}", flush=True)


# ------------------------------------------------------------------------------------------
# Model
# ------------------------------------------------------------------------------------------


OBJECTIVES = {
    "cca": ("cca",),
    "contrastive": ("contrastive",),
    "combined": ("cca", "contrastive"),
}
PARTS = {c.__name__: c for c in (ImageFeatures, TextFeatures, CCA, ContrastiveAligner)}


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

    def fit(self, images, texts, *, validation=None):
        """Fit features and aligners on pairs: image i belongs to text i.

        ``validation``, optional, is a tuple of images and texts for early stopping. Nothing of it
        enters the features.
        """
        (image_features, text_features), aligners = self._parts()
        if len(check_texts(texts)) != len(images):
            raise ValueError(f"one text per image is needed; {len(images)} and {len(texts)} came")
        X, Y = image_features.fit_transform(images), text_features.fit_transform(texts)
        if validation:
            images, texts = validation
            validation = image_features.transform(images), text_features.transform(texts)
        return self._align(X, Y, image_features, text_features, aligners, validation)

    def fit_aligners(self, X, Y, image_features, text_features, *, validation=None):
        """Fit only the aligners, on rows (n, d) of featurisers that are fitted already.

        ``validation``, optional, is a tuple of rows of images and of texts.
        """
        return self._align(X, Y, image_features, text_features, self._parts()[1], validation)

    def _parts(self):
        """Return fresh featurisers and the aligners that the objective names."""
        if self.objective not in OBJECTIVES:
            came = f"{self.objective!r} came"
            raise ValueError(f"objective must be one of {list(OBJECTIVES)}; {came}")
        if self.hub_neighbours is not None:
            _need_int("hub_neighbours", self.hub_neighbours, 0)
        made = {
            "image_features": ImageFeatures(random_state=self.random_state),
            "text_features": TextFeatures(random_state=self.random_state),
            "cca": CCA(),
            "contrastive": ContrastiveAligner(random_state=self.random_state),
        }
        given = {name: getattr(self, name) for name in made}
        made.update({name: clone(part) for name, part in given.items() if part is not None})
        features = made["image_features"], made["text_features"]
        return features, [made[name] for name in OBJECTIVES[self.objective]]

    def _align(self, X, Y, image_features, text_features, aligners, validation):
        """Fit the aligners on features; take all parts over once nothing can fail any more."""
        for aligner in aligners:
            options = {} if isinstance(aligner, CCA) else {"validation": validation}
            aligner.fit(X, Y, **options)
        k, bank = self.hub_neighbours, {}
        k = (10 if self.objective == "combined" else 0) if k is None else int(k)
        if k:
            some = np.linspace(0, len(X) - 1, min(len(X), 4000)).astype(int)
            rows = {"image": (np.asarray(Y)[some], "text"), "text": (np.asarray(X)[some], "image")}
            bank = {s: _unit_rows(aligners, *of).astype(np.float32) for s, of in rows.items()}
        self.image_features_, self.text_features_ = image_features, text_features
        self.aligners_, self.n_neighbours_, self.bank_ = aligners, k, bank
        return self

    def encode_image(self, images):
        """Return embeddings of photos, float32 (n, d), rows of unit length."""
        _check_fitted(self, "aligners_")  # before the features, which may be slow, are made
        return self.encode_features(self.image_features_.transform(images), "image")

    def encode_text(self, texts):
        """Return embeddings of texts, float32 (n, d), rows of unit length."""
        _check_fitted(self, "aligners_")
        return self.encode_features(self.text_features_.transform(texts), "text")

    def encode_features(self, X, side):
        """Return embeddings, float32 (n, d), of feature rows; ``side`` is "image" or "text"."""
        _check_fitted(self, "aligners_")
        if side not in ("image", "text"):
            raise ValueError(f'side must be "image" or "text"; {side!r} came')
        E = _unit_rows(self.aligners_, X, side)
        if self.n_neighbours_:
            E = _with_hub_penalty(E, self.bank_[side], self.n_neighbours_, side == "image")
        return E.astype(np.float32)

    def retrieve(self, images, text_database, k=1):
        """Return for each image its k best descriptions, best first: list of lists of str.

        ``text_database`` is a list of str, or a `DescriptionIndex` of this model's embeddings, or
        anything with its methods ``search`` and ``descriptions``.
        """
        if hasattr(text_database, "search"):
            found = text_database.search(self.encode_image(images), k)[1]
            return text_database.descriptions(found)
        texts = list(check_texts(text_database))
        found = exact_top_k(self.encode_image(images), self.encode_text(texts), k)[1]
        return [[texts[i] for i in row] for row in found]

    def retrieve_description(self, image, text_database):
        """Return the one description that fits one image (height, width, 3) best: a str."""
        return self.retrieve([image], text_database)[0][0]

    def save(self, path):
        """Write the model to one .npz file without pickle; after a crash the old file is whole.

        TypeError, and nothing is written, if a part is not one of the course's own.
        """
        _check_fitted(self, "aligners_")
        options = {k: getattr(self, k) for k in ("objective", "hub_neighbours", "random_state")}
        model = {"options": options, "n_neighbours": self.n_neighbours_}
        arrays, described = {}, {"format": FORMAT, "model": model}
        parts = {"image": self.image_features_, "text": self.text_features_}
        parts.update({f"aligner{i}": aligner for i, aligner in enumerate(self.aligners_)})
        for name, part in parts.items():
            described[name] = _state(part, name, arrays)
        arrays.update({f"bank/{side}": rows for side, rows in self.bank_.items()})
        # NumPy's numbers among the options become Python's, arrays become lists.
        arrays["header"] = np.array(json.dumps(described, default=lambda value: value.tolist()))
        _write_safely(path, lambda file: np.savez(file, **arrays))

    @classmethod
    def load(cls, path):
        """Read a model that `save` wrote; ValueError for any other file."""
        try:
            with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            header = json.loads(str(arrays.pop("header")))
            version = header["format"]
        except (FileNotFoundError, PermissionError, IsADirectoryError):
            raise
        except Exception as error:  # a foreign file can fail NumPy, zip or JSON in any way
            raise ValueError(f"{path} is not a whole model file: {error}") from error
        if version != FORMAT:
            raise ValueError(f"{path} has format {version}; this version reads format {FORMAT}")
        try:
            return cls._restore(header, arrays)
        except Exception as error:  # as above: nothing but a model that works is returned
            told = f"{type(error).__name__}: {error}"
            raise ValueError(
                f"{path} lacks a part of the model, or it is damaged: {told}"
            ) from error

    @classmethod
    def _restore(cls, header, arrays):
        """Build a model from what a file holds, and try it on one photo and one text."""
        model = cls(**header["model"]["options"])
        names = [f"aligner{i}" for i in range(len(OBJECTIVES[model.objective]))]
        image, text, *aligners = (
            _revive(header[name], name, arrays) for name in ("image", "text", *names)
        )
        # A second fit is to use the same options.
        made = dict(zip(OBJECTIVES[model.objective], aligners, strict=True))
        model.set_params(
            image_features=clone(image),
            text_features=clone(text),
            **{name: clone(aligner) for name, aligner in made.items()},
        )
        model.image_features_, model.text_features_, model.aligners_ = image, text, aligners
        model.n_neighbours_ = header["model"]["n_neighbours"]
        sides = ("image", "text") if model.n_neighbours_ else ()
        model.bank_ = {side: arrays[f"bank/{side}"] for side in sides}
        photo = np.zeros((1, image.size, image.size, 3), dtype=np.uint8)
        exact_top_k(model.encode_image(photo), model.encode_text(["a"]), 1)
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


def _state(part, name, arrays):
    """Put a fitted part's arrays into ``arrays``; return its class, options and their names."""
    if type(part) not in PARTS.values():
        raise TypeError(f"only the course's own parts can be saved; {type(part).__name__} came")
    learned = {}
    for key, value in vars(part).items():
        if not key.endswith("_"):
            continue
        if isinstance(value, int):
            learned[key] = value
        elif isinstance(value, dict):
            learned[key] = {k: None for k in value}
            arrays.update({f"{name}/{key}/{k}": v for k, v in value.items()})
        elif isinstance(value, list):
            learned[key] = [list(block) for block in value]
            for i, block in enumerate(value):
                arrays.update({f"{name}/{key}/{i}/{k}": v for k, v in block.items()})
        else:
            learned[key] = None
            arrays[f"{name}/{key}"] = value
    options = part.get_params(deep=False)
    return {"class": type(part).__name__, "options": options, "learned": learned}


def _revive(described, name, arrays):
    """Return the part that `_state` described."""
    part = PARTS[described["class"]](**described["options"])
    for key, value in described["learned"].items():
        at = f"{name}/{key}"
        if isinstance(value, dict):
            value = {k: arrays[f"{at}/{k}"] for k in value}
        elif isinstance(value, list):
            value = [{k: arrays[f"{at}/{i}/{k}"] for k in keys} for i, keys in enumerate(value)]
        setattr(part, key, arrays[at] if value is None else value)
    return part


def _write_safely(path, write):
    """Call write(file) on a new file beside path, flush it to disk, then rename it to path."""
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(temporary, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise


def retrieve_description(image, text_database, model):
    """Return the one description in the database that fits one image (height, width, 3) best."""
    return model.retrieve_description(image, text_database)


# ------------------------------------------------------------------------------------------
# Search
# ------------------------------------------------------------------------------------------


SECTION = 2**20  # rows of the database searched at a time, which bounds the memory
INDEX_FORMAT = 1  # version of the files that DescriptionIndex.save writes
INDEX_FILE = re.compile(
    r"[0-9a-f]{32}\.(segment|alive)|\.([0-9a-f]{32}\.(segment|alive)|manifest\.json)\.[0-9a-f]{32}"
)


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
        As a full sort would give; equal scores stand in order of their index. A score is the sum
        of the products in float64, rounded to float32 if both matrices are float32.

    Notes
    -----
    The scan keeps only the largest score of each small group of items. The k best items lie in
    the k best groups, which alone are opened at the end. The scan's own scores are rounded, so
    every group that rounding could have put behind is opened too. Besides arguments and results,
    memory stays below 256 MB.
    """
    queries = check_matrix(queries, "queries", keep_single=True)
    database = check_matrix(database, "database", keep_single=True, finite=False)
    if queries.shape[1] != database.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} columns and items {database.shape[1]}")
    _need_int("k", k, 1)
    if k > len(database):
        raise ValueError(f"k must be at most {len(database)}, the number of items; {k} came")
    found = []
    for start in range(0, len(database), SECTION):
        part = _Section(database[start : start + SECTION], start)
        found.append(_section_top_k(queries, part, k))
    return _merge(found, k)


class _Section:
    """Rows (n, d) of a database from ``start`` on, and which are ``alive``, bool (n,) or None.

    ``longest``, a bound on the length of its rows, is known once they were all looked at.
    """

    def __init__(self, rows, start=0, alive=None):
        self.rows, self.start, self.alive, self.longest = rows, start, alive, None


def _merge(found, k):
    """Return the k best of results in order of their indices, each of them best first."""
    scores, indices = (np.hstack(parts) for parts in zip(*found, strict=True))
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return tuple(np.take_along_axis(part, order, axis=1) for part in (scores, indices))


def _section_top_k(queries, section, k):
    """Return what `exact_top_k` does for one section; k may exceed the number of its items."""
    rows, alive = section.rows, section.alive
    k = min(k, len(rows) if alive is None else int(alive.sum()))
    dtype = np.result_type(queries, rows)
    size = 2 ** min(6, int(math.log2(len(rows) / k) / 2))  # of a group: at most sqrt(n / k)
    step = min(256, max(1, 2**22 * size // len(rows)))
    found = []
    for i in range(0, len(queries), step):
        batch = queries[i : i + step].astype(dtype, copy=False)
        found.append(_batch_top_k(batch, section, k, size, dtype))
    scores, items = (np.concatenate(part) for part in zip(*found, strict=True))
    return scores, items + section.start


def _batch_top_k(queries, section, k, size, dtype):
    """Scan with the queries' precision, choose groups and open them; scores have dtype.

    Where float32 leaves too many groups that may be equal, float64 tells them apart: duplicates
    then agree in their rounded score, so that the first k groups of them suffice.
    """
    maxima, bound = _scan(queries, section, size)
    single = queries.dtype == np.float32
    query, group, least, hard = _choose_groups(maxima, bound, k, dtype, single)
    del maxima  # to bound the memory
    found = _open_groups(queries, section, k, size, query, group, least, bound)
    if single and hard.any():
        again = queries[hard].astype(float)
        again = _batch_top_k(again, section, k, size, dtype)
        for part, exact in zip(found, again, strict=True):
            part[hard] = exact
    if not np.isfinite(found[0]).all():
        raise ValueError(f"scores exceed the largest {dtype}: scale the rows of both matrices")
    return found


def _scan(queries, section, size):
    """Return each group's largest score, (n_queries, n_groups), and how far off it may be.

    The bound (n_queries,) is that of the rounding of any sum of d products: d eps |query| |row|,
    with the length of the longest row. A row that does not count scores minus infinity.
    """
    rows, alive, known = section.rows, section.alive, section.longest
    (n_queries, d), n, dtype = queries.shape, len(rows), queries.dtype
    step = 64 * max(1, min(256, 8192 // n_queries, 2**14 // d))  # a block fits the cache
    if known is not None and n_queries < 4 and rows.dtype == dtype and rows.flags.c_contiguous:
        step = -(-n // 64) * 64  # few queries wait for memory; BLAS reads best in one piece
    columns = np.ascontiguousarray(queries.T)
    maxima = np.empty((n_queries, -(-n // size)), dtype)

    def work(thread, n_threads):
        S, longest = np.empty((step, n_queries), dtype), 0.0
        with np.errstate(over="ignore", invalid="ignore"):  # the bound tells when
            for i in range(thread * step, n, n_threads * step):
                block = np.ascontiguousarray(rows[i : i + step], dtype)
                np.matmul(block, columns, out=S[: len(block)])
                if known is None:
                    longest = max(longest, _longest(block, section.start + i))
                S[len(block) :] = -np.inf
                if alive is not None:
                    S[: len(block)][~alive[i : i + step]] = -np.inf
                groups = S[: -(-len(block) // size) * size].reshape(-1, size, n_queries)
                top = np.maximum.reduce(groups, axis=1)
                maxima[:, i // size : i // size + len(top)] = top.T
        return longest

    longest, limits = max(_in_threads(work, -(-n // step))), np.finfo(dtype)
    section.longest = longest if known is None else known
    with np.errstate(over="ignore"):
        reach = section.longest * np.linalg.norm(queries.astype(float), axis=1)
        bound = (d + 2) * (limits.eps * reach + limits.tiny)
    return maxima, np.where(reach < limits.max / 4, bound, np.inf).astype(dtype)


def _longest(block, start):
    """Return a bound on the length of each row of a block, from one fast pass over it.

    No row is longer than all of the block together. ValueError names a row that is not finite.
    """
    together = float(np.vdot(block, block))
    if 1e-30 < together < math.inf:  # else the squares may have left the range of the numbers
        return 1.5 * math.sqrt(together)  # 1.5 as the sum itself is rounded
    peak = max(float(block.max()), -float(block.min()))
    if not math.isfinite(peak):
        _refuse_row("database", start + int(np.isfinite(block).all(axis=1).argmin()))
    return peak * math.sqrt(block.shape[1])


_TURN = threading.Lock()  # two searches must not set and restore BLAS's threads at a time
_blas = functools.cache(threadpoolctl.ThreadpoolController)


def _in_threads(work, n_blocks):
    """Return [work(i, n) for i in range(n)], from as many threads as BLAS may use.

    BLAS itself is limited to one thread meanwhile: several blocks at a time keep all cores busy
    even where NumPy, unlike BLAS, would use one.
    """
    if n_blocks < 4:
        return [work(0, 1)]
    with _TURN:
        blas = _blas().select(user_api="blas")
        n = max((library["num_threads"] for library in blas.info()), default=1)
        with blas.limit(limits=1), concurrent.futures.ThreadPoolExecutor(n) as pool:
            return list(pool.map(work, range(n), [n] * n))


def _choose_groups(maxima, bound, k, dtype, single):
    """Return queries and groups to open, the least score of the k best, and the hard queries.

    Rounded to dtype, a group's largest score lies between ``low`` and ``high``. At least k items
    reach the k-th largest ``low``. Of groups that are known to reach just this, the first k
    suffice: their items stand before all equals. A query is hard, and nothing of it is opened, if
    its scores are too large for the numbers, or, of those of ``single`` precision, too close.
    """
    kth = np.partition(maxima, -k, axis=1)[:, -k]
    with np.errstate(over="ignore", invalid="ignore"):
        least = (kth - bound).astype(dtype)
        near = (maxima + bound[:, None]).astype(dtype, copy=False) >= least[:, None]
        hard = np.isinf(bound) | (single & (near.sum(axis=1) > 4 * k + 64))
        near[hard] = False
        query, group = np.nonzero(near)
        low, high = (
            (maxima[query, group] + sign * bound[query]).astype(dtype) for sign in (-1, 1)
        )
    tied = (low == least[query]) & (high == low)
    count = np.append(0, np.cumsum(tied))
    before = count[np.searchsorted(query, np.arange(len(maxima)))]
    keep = ~tied | (count[1:] - before[query] <= k)
    return query[keep], group[keep], least, hard


def _open_groups(queries, section, k, size, query, group, least, bound):
    """Return scores and items (n_queries, k) of the best in groups; infinity where none is open.

    Queries and groups come in ascending order. What may reach the least score in a fast product
    is scored in float64, by a sum whose order depends on nothing else.
    """
    rows, alive = section.rows, section.alive
    step = max(1, 2**20 // (size * queries.shape[1]))  # groups at a time, to bound the memory
    waiting = [(np.empty(0, np.int64), np.empty(0, least.dtype), np.empty(0, np.int64))]
    for i in range(0, len(query), step):
        at, items = query[i : i + step], group[i : i + step, None] * size + np.arange(size)
        opened = rows.take(items, axis=0, mode="clip")
        counts = items < len(rows)
        if alive is not None:
            counts &= alive.take(items, mode="clip")
        with np.errstate(over="ignore"):
            rough = np.matmul(opened, queries[at, :, None])[:, :, 0] + bound[at, None]
            counts &= rough.astype(least.dtype, copy=False) >= least[at, None]
            at = np.repeat(at, counts.sum(axis=1))
            products = np.multiply(opened[counts], queries[at], dtype=float)
            waiting.append((at, products.sum(axis=1).astype(least.dtype), items[counts]))
        if sum(len(part[0]) for part in waiting) > 2**19:
            waiting = [_first_k(waiting, k)]
    query, *best = _first_k(waiting, k)
    found = np.full((len(queries), k), np.inf, least.dtype), np.empty((len(queries), k), np.int64)
    for part, flat in zip(found, best, strict=True):
        part[query[::k]] = flat.reshape(-1, k)
    return found


def _first_k(found, k):
    """Return the k best of each query, best first, of a list of (queries, scores, items)."""
    query, scores, items = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((-scores, query))  # stable: equals stay in order of their items
    query = query[order]
    first = np.arange(len(query)) - np.searchsorted(query, query) < k
    return query[first], scores[order][first], items[order][first]


class DescriptionIndex:
    """Descriptions and their embeddings, searched exactly, changed, and kept in a folder.

    Items live in segments of at most a million: those of a saved index are mapped from their
    files, never changed, and read when a search comes to them. Adding makes a new segment, small
    neighbours are joined, removing marks rows as gone. `save` writes new segments under new names
    and then replaces the manifest, which names the valid files, in one step: after a crash the
    folder holds the index as it was before or after. A search keeps about one segment in memory
    at a time if all of them take more than 1 GiB.

    Examples
    --------
    >>> index = cm.DescriptionIndex()  # doctest: +SKIP
    >>> ids = index.add(model.encode_text(texts), texts)  # doctest: +SKIP
    >>> scores, ids = index.search(model.encode_image(images), k=3)  # doctest: +SKIP
    >>> index.descriptions(ids)  # doctest: +SKIP
    """

    def __init__(self):
        self._segments, self._next_id, self._n_columns = [], 0, None
        self._folder, self._known = None, set()  # manifests that this index read or wrote

    def __len__(self):
        """Return the number of items."""
        return sum(segment.n_alive for segment in self._segments)

    def add(self, E, descriptions):
        """Add rows of E, kept as float32 (n, d), with a str each; return their ids, int64 (n,).

        Ids count upwards and are never used again.
        """
        with np.errstate(over="ignore"):  # refused below
            E = check_matrix(E, "E", self._n_columns, keep_single=True).astype(np.float32)
        texts = [text.encode("utf-8", "surrogatepass") for text in check_texts(descriptions)]
        if len(texts) != len(E):
            raise ValueError(f"one str per row is needed; {len(E)} rows and {len(texts)} came")
        check_matrix(E, "E as float32", keep_single=True)
        ids = np.arange(self._next_id, self._next_id + len(E))
        for i in range(0, len(E), SECTION):
            part = slice(i, i + SECTION)
            starts = np.cumsum([0, *map(len, texts[part])])
            text = np.frombuffer(b"".join(texts[part]), np.uint8)
            self._segments.append(_Segment(ids[part], starts, E[part], text))
        self._next_id, self._n_columns = self._next_id + len(E), E.shape[1]
        self._join_small()
        return ids

    def _join_small(self):
        """Join last neighbours of like size, so that many small additions make few segments."""
        while len(self._segments) > 1:
            left, right = self._segments[-2:]
            if left.n_alive > min(2 * right.n_alive, SECTION // 4 - right.n_alive):
                break
            self._segments[-2:] = [_joined([left, right])]

    def remove(self, ids):
        """Remove items; ValueError, and nothing is removed, if one of the ids is unknown."""
        for segment, rows in self._find(np.unique(ids)):
            segment.kill(rows)
        self.compact(0.5)

    def compact(self, share=1.0):
        """Rewrite segments of which less than this share lives; `save` then frees the disk.

        Each of them comes into memory. `remove` does so itself for a share of one half.
        """
        self._segments = [
            _joined([s]) if s.n_alive < share * len(s.ids) else s
            for s in self._segments
            if s.n_alive
        ]

    def _find(self, ids):
        """Return (segment, rows) of ids, which ascend; ValueError names those it does not hold."""
        found, ids, unknown = [], np.asarray(ids), []
        if ids.size and ids.dtype.kind not in "iu":
            raise TypeError(f"ids must be integers; {ids.dtype} came")
        borders = [segment.ids[0] for segment in self._segments]
        which = np.searchsorted(borders, ids, side="right") - 1
        for i in np.unique(which):
            some = ids[which == i]
            segment = self._segments[max(i, 0)] if self._segments else None
            rows = segment.rows_of(some) if segment else np.full(len(some), -1)
            unknown.extend(some[rows < 0])
            found.append((segment, rows))
        if unknown:
            few = ", ".join(map(str, unknown[:5])) + (" ..." if len(unknown) > 5 else "")
            raise ValueError(f"{len(unknown)} unknown or removed ids: {few}")
        return found

    def search(self, Q, k):
        """Return scores and ids (n_queries, k) of the items of largest inner product, best first.

        Exact, as `exact_top_k` with both matrices in float32; equal scores in order of their id.
        """
        Q = check_matrix(Q, "Q", self._n_columns, keep_single=True).astype(np.float32, copy=False)
        _need_int("k", k, 1)
        if k > len(self):
            raise ValueError(f"k must be at most {len(self)}, the number of items; {k} came")
        release = sum(segment.rows.nbytes for segment in self._segments) > 2**30
        return _merge([segment.search(Q, k, release) for segment in self._segments], k)

    def descriptions(self, ids):
        """Return the descriptions of ids, an array of any shape, as nested lists of str."""
        ids = np.asarray(ids)
        distinct, where = np.unique(ids, return_inverse=True)
        texts = [text for segment, rows in self._find(distinct) for text in segment.texts(rows)]
        return np.array(texts, dtype=object)[where.ravel()].reshape(ids.shape).tolist()

    def save(self, path):
        """Write the index to a folder, its home from then on: what is new, and a new manifest.

        ValueError, and the folder stays as it is, if it holds another index, or if someone else
        saved there since this one was loaded; BlockingIOError while someone else is saving.
        """
        folder = pathlib.Path(path).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        _sync(folder.parent)
        with open(folder / "lock", "a") as lock:
            _claim(lock)
            manifest, here = folder / "manifest.json", self._folder == folder
            if not manifest.exists():
                here = False
            elif manifest.read_bytes() not in self._known:
                raise ValueError(f"{path} holds another index, or a newer state: load it first")
            segments = [segment.write(folder, here) for segment in self._segments]
            state = {"next_id": self._next_id, "n_columns": self._n_columns, "segments": segments}
            sealed = _seal(state)
            _sync(folder)  # the names of the new files, before the manifest counts on them
            self._known.add(sealed)
            _write_safely(manifest, lambda file: file.write(sealed))
            _sync(folder)
            vars(self).update(vars(self.load(folder)))
            _clear(folder, {s[key] for s in segments for key in ("name", "alive")})

    @classmethod
    def load(cls, path):
        """Open a saved index; only its manifest and its marks of removed rows are read.

        ValueError if the folder holds no index, one of another format, or not all of it.
        """
        folder = pathlib.Path(path).absolute()
        try:
            try:
                return cls._open(folder)
            except FileNotFoundError:  # someone saved between our reading of two files
                return cls._open(folder)
        except FileNotFoundError as error:
            told = f"{pathlib.Path(error.filename).name} is missing"
            raise ValueError(f"{path} holds no whole index: {told}") from error
        except ValueError as error:
            raise ValueError(f"{path} holds no index that can be read: {error}") from error

    @classmethod
    def _open(cls, folder):
        index, sealed = cls(), (folder / "manifest.json").read_bytes()
        state = _unseal(sealed)
        index._next_id, index._n_columns = state["next_id"], state["n_columns"]
        for described in state["segments"]:
            index._segments.append(_Segment.map(folder, index._n_columns, **described))
        index._folder, index._known = folder, {sealed}
        return index


class _Segment(_Section):
    """Items: ids (n,) ascending, rows (n, d), texts as UTF-8 and where each starts (n + 1,).

    The names are those of its files, of which the first may be mapped.
    """

    def __init__(self, ids, starts, rows, text, alive=None, names=(None, None), file=None):
        super().__init__(rows, alive=alive)
        self.ids, self.starts, self.text, self.names, self.file = ids, starts, text, names, file
        self.n_alive = len(ids) if alive is None else int(alive.sum())

    @classmethod
    def map(cls, folder, d, *, name, alive, n, n_bytes):
        """Return the segment that `write` described, mapped from its file."""
        kinds = [("<i8", (n,)), ("<i8", (n + 1,)), ("<f4", (n, d)), ("u1", (n_bytes,))]
        sizes = [np.dtype(kind).itemsize * math.prod(shape) for kind, shape in kinds]
        for file, size in ((name, sum(sizes)), (alive, -(-n // 8))):
            if file and (came := (folder / file).stat().st_size) != size:
                raise ValueError(f"{file} has {came} bytes instead of {size}")
        with open(folder / name, "rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        places = zip(kinds, np.cumsum([0, *sizes]).tolist(), strict=False)
        arrays = [np.ndarray(shape, kind, mapped, place) for (kind, shape), place in places]
        marks = np.fromfile(folder / alive, np.uint8) if alive else None
        marks = np.unpackbits(marks, count=n).astype(bool) if alive else None
        return cls(*arrays, marks, (name, alive), mapped)

    def write(self, folder, here):
        """Write what is not ``here`` in the folder yet; return what `map` needs."""
        name, alive = self.names if here else (None, None)
        if name is None:
            name = f"{uuid.uuid4().hex}.segment"
            _write_safely(folder / name, self._put)
        if alive is None and self.alive is not None:
            alive = f"{uuid.uuid4().hex}.alive"
            _write_safely(folder / alive, lambda file: file.write(np.packbits(self.alive)))
        return {"name": name, "alive": alive, "n": len(self.ids), "n_bytes": len(self.text)}

    def _put(self, file):
        for array in (self.ids, self.starts, self.rows, self.text):
            file.write(np.ascontiguousarray(array))
        self.release()

    def release(self):
        """Let the memory go that holds what was read of the file; it is read again if needed."""
        if self.file is not None and hasattr(self.file, "madvise"):
            self.file.madvise(mmap.MADV_DONTNEED)

    def rows_of(self, ids):
        """Return the row of each id, -1 if it is not among the living."""
        rows = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        known = self.ids[rows] == ids
        return np.where(known if self.alive is None else known & self.alive[rows], rows, -1)

    def kill(self, rows):
        """Mark rows as removed."""
        self.alive = np.ones(len(self.ids), bool) if self.alive is None else self.alive
        self.alive[rows] = False
        self.n_alive, self.names = int(self.alive.sum()), (self.names[0], None)

    def search(self, Q, k, release):
        """Return scores and ids of the k best; ``release`` what was read for it."""
        scores, rows = _section_top_k(Q, self, k)
        found = scores, self.ids[rows]
        if release:
            self.release()
        return found

    def texts(self, rows):
        """Return the descriptions in rows, a list of str."""
        ends = zip(self.starts[rows], self.starts[rows + 1], strict=True)
        return [bytes(self.text[a:b]).decode("utf-8", "surrogatepass") for a, b in ends]


def _joined(segments):
    """Return one segment in memory with the living items of several."""
    living = [slice(None) if s.alive is None else s.alive for s in segments]
    ids, rows, lengths = (
        np.concatenate([part[keep] for part, keep in zip(parts, living, strict=True)])
        for parts in zip(*((s.ids, s.rows, np.diff(s.starts)) for s in segments), strict=True)
    )
    text = [
        s.text if s.alive is None else s.text[np.repeat(s.alive, np.diff(s.starts))]
        for s in segments
    ]
    return _Segment(ids, np.append(0, np.cumsum(lengths)), rows, np.concatenate(text))


def _seal(state):
    """Return the bytes of a manifest: the state with its format and a checksum."""
    checksum = hashlib.sha256(json.dumps(state).encode()).hexdigest()
    manifest = {"kind": "DescriptionIndex", "format": INDEX_FORMAT}
    return json.dumps(manifest | {"checksum": checksum, "state": state}).encode()


def _unseal(sealed):
    """Return the state in a manifest; ValueError if it is not whole or of another format."""
    manifest = json.loads(sealed)
    if not isinstance(manifest, dict) or manifest.get("kind") != "DescriptionIndex":
        raise ValueError("manifest.json is something else's")
    if manifest.get("format") != INDEX_FORMAT:
        came = manifest.get("format")
        raise ValueError(f"it has format {came}; this version reads format {INDEX_FORMAT}")
    if _seal(manifest.get("state")) != sealed:
        raise ValueError("manifest.json is damaged, as its checksum tells")
    return manifest["state"]


def _claim(lock):
    """Lock an open file against other processes; the lock goes with the file or the process."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync(folder):
    """Flush the names in a folder to disk, where the system can."""
    if os.name != "nt":
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def _clear(folder, valid):
    """Delete an index's files that the manifest does not name, left by crashes or replaced."""
    for file in folder.iterdir():
        if INDEX_FILE.fullmatch(file.name) and file.name not in valid:
            with contextlib.suppress(OSError):  # Windows keeps files that are still mapped
                file.unlink()


# ------------------------------------------------------------------------------------------
# Evaluation
# ------------------------------------------------------------------------------------------


def same_text(query_texts, item_texts):
    """Return bool (n_queries, n_items): whether the two texts are equal, so that both are hits."""
    seen, texts = {}, [*check_texts(query_texts), *check_texts(item_texts)]
    numbers = np.array([seen.setdefault(text, len(seen)) for text in texts])
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
    return float(np.mean(_check_ranks(ranks) <= k))


def _check_ranks(ranks):
    """Return ranks as an array; raise unless they are numbers from 1."""
    ranks = np.asarray(ranks)
    if ranks.ndim != 1 or len(ranks) == 0 or not (ranks >= 1).all():
        raise ValueError("ranks must be a non-empty vector of numbers from 1")
    return ranks


def summarize(ranks):
    """Return the usual measures of ranks (n,) from 1: r1, r5, r10, mrr, median_rank."""
    ranks = _check_ranks(ranks)
    recalls = {f"r{k}": recall_at_k(ranks, k) for k in (1, 5, 10)}
    return {**recalls, "mrr": float(np.mean(1 / ranks)), "median_rank": float(np.median(ranks))}


def evaluate(image_embeddings, text_embeddings, texts=None):
    """Return the ranks in both directions of n pairs in one database of n.

    Parameters
    ----------
    image_embeddings, text_embeddings : arrays (n, d), row i of one belongs to row i of the other
    texts : list of n str, optional
        If given, any item with the same text is a hit.

    Returns
    -------
    dict of two int arrays (n,): "image_to_text" and "text_to_image"
    """
    E_image = check_matrix(image_embeddings, "image_embeddings")
    E_text = check_matrix(text_embeddings, "text_embeddings", E_image.shape[1], len(E_image))
    relevant = None if texts is None else same_text(texts, texts)
    S = E_image @ E_text.T  # (n, n)
    return {"image_to_text": true_ranks(S, relevant), "text_to_image": true_ranks(S.T, relevant)}


def mean_average_precision(scores, relevant):
    """Return the mean over queries of average precision, ties counted against the query.

    ``scores`` and ``relevant``, bool, are (n_queries, n_items), as in `true_ranks`.
    """
    S, relevant = _check_scores(scores, relevant)
    precisions = []
    for row, right in zip(S, relevant, strict=True):
        order = np.lexsort((right, -row))  # wrong items before right ones of equal score
        places = np.flatnonzero(right[order]) + 1
        precisions.append(np.mean(np.arange(1, len(places) + 1) / places))
    return float(np.mean(precisions))


def chance_levels(n_items):
    """Return what a random order of n_items scores on average: r1, r5, r10, mrr, median_rank."""
    _need_int("n_items", n_items, 1)
    recalls = {f"r{k}": min(1.0, k / n_items) for k in (1, 5, 10)}
    mrr = float(np.sum(1 / np.arange(1, n_items + 1)) / n_items)
    return {**recalls, "mrr": mrr, "median_rank": (n_items + 1) / 2}


def _resampled_means(values, confidence, n_resamples, random_state):
    """Return the means of values (n, ...) over queries drawn with replacement, and an interval."""
    if np.ndim(values) == 0 or np.size(values) == 0 or not np.isfinite(values).all():
        raise ValueError("values must be finite numbers, one per query, and at least one")
    _need_number("confidence", confidence, 0, 1)
    _need_int("n_resamples", n_resamples, 1)
    rng, n = np.random.default_rng(random_state), len(values)
    means = np.array([values[rng.integers(0, n, n)].mean() for _ in range(n_resamples)])
    tail = (1 - confidence) / 2
    return means, *np.quantile(means, [tail, 1 - tail]).tolist()


def bootstrap_interval(values, *, confidence=0.95, n_resamples=2000, random_state=0):
    """Return (low, high) for the mean of one value per query, such as hits 0 or 1.

    The percentile bootstrap over queries (Efron, Annals of Statistics 1979). It knows the luck of
    the draw of queries, not that of training: for that, train with several seeds.
    """
    values = np.asarray(values, dtype=float)
    return _resampled_means(values, confidence, n_resamples, random_state)[1:]


def paired_bootstrap(values_a, values_b, *, confidence=0.95, n_resamples=2000, random_state=0):
    """Compare two systems on the same queries: tell whether the mean of a - b differs from 0.

    Returns
    -------
    dict: difference, low and high of its interval, and p, two-sided, at least 1 / n_resamples
    """
    a, b = np.asarray(values_a, dtype=float), np.asarray(values_b, dtype=float)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"one value per query from both is needed; {a.shape} and {b.shape} came")
    means, low, high = _resampled_means(a - b, confidence, n_resamples, random_state)
    p = 2 * min((means <= 0).mean(), (means >= 0).mean())
    p = float(min(1.0, max(p, 1 / n_resamples)))
    return {"difference": float(np.mean(a - b)), "low": low, "high": high, "p": p}


# ------------------------------------------------------------------------------------------
# Pictures: plotters draw computed results on given axes and return them
# ------------------------------------------------------------------------------------------

# Okabe and Ito's colours, told apart by colour-blind readers; the marker repeats what they say.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def plot_photos(axes, images, captions=None, edges=None):
    """Show one photo on each of the axes, with a caption under it and a coloured edge."""
    for i, ax in enumerate(np.ravel(axes)):
        ax.set_xticks([])
        ax.set_yticks([])
        ax.imshow(images[i], interpolation="bilinear")
        if captions is not None:
            ax.set_xlabel(captions[i], fontsize=9)
        for spine in ax.spines.values():
            spine.set_color(edges[i] if edges is not None else "#bbbbbb")
            spine.set_linewidth(3 if edges is not None else 0.8)
    return axes


def plot_similarity(ax, S, images, captions):
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
            dark = S[i, j] < (S.min() + S.max()) / 2
            ax.text(j, i, f"{S[i, j]:.2f}", ha="center", va="center", color="w" if dark else "k")
    return ax


def plot_curves(ax, x, curves, xlabel, ylabel):
    """Draw named curves, each with its own colour and marker."""
    for (name, values), colour, marker in zip(curves.items(), PALETTE, MARKERS, strict=False):
        ax.plot(x[: len(values)], values, color=colour, marker=marker, ms=6, lw=2, label=name)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    return ax


def plot_comparison(ax, rows, *, chance=None, xlabel="recall@1 (share of queries)"):
    """Draw scores with intervals, one line a method: {method: {series: (value, low, high)}}."""
    methods = list(rows)
    series = list(next(iter(rows.values())))
    for s, name in enumerate(series):
        values = np.array([rows[method][name] for method in methods])
        y = np.arange(len(methods)) + (s - (len(series) - 1) / 2) * 0.26
        reach = np.abs(values[:, 1:] - values[:, :1]).T
        style = {"fmt": MARKERS[s], "ms": 9, "color": PALETTE[s], "capsize": 4}
        ax.errorbar(values[:, 0], y, xerr=reach, label=name, **style)
    if chance is not None:
        ax.axvline(chance, color="#444444", ls=":", label=f"chance ({chance:g})")
    ax.set_yticks(range(len(methods)), methods)
    ax.invert_yaxis()
    ax.set_xlabel(xlabel)
    ax.grid(axis="x", alpha=0.3)
    ax.legend(frameon=False)
    return ax


# ------------------------------------------------------------------------------------------
# Appendix: the generated shop. Its words and shapes, then what draws and describes with them
# ------------------------------------------------------------------------------------------

SHARED = ("type", "colour", "pattern", "accent", "cut", "detail")  # seen in photo and in words
OMITTED = (0, 10, 12, 12, 14, 14)  # per cent of the texts that leave each of them unsaid
COLOURS = {  # name: RGB, words that belong to no other colour
    "black": ((40, 40, 46), "black, jet-black, ebony"),
    "white": ((246, 246, 244), "white, ivory, snow-white"),
    "grey": ((136, 140, 146), "grey, slate, ash"),
    "red": ((200, 28, 38), "red, scarlet, crimson"),
    "orange": ((243, 124, 22), "orange, tangerine, pumpkin"),
    "yellow": ((250, 214, 52), "yellow, mustard, lemon"),
    "green": ((36, 134, 66), "green, emerald, fern"),
    "blue": ((34, 88, 190), "blue, navy, cobalt"),
    "purple": ((112, 52, 152), "purple, violet, plum"),
    "pink": ((246, 150, 186), "pink, rose, blush"),
}
PATTERNS = {  # name: adjectives, nouns, where the accent is printed on a tile of 64 x 64 cells
    "plain": ("plain, unpatterned, solid-colour", "", None),
    "stripes": ("striped, hooped", "stripes, hoops, horizontal stripes", lambda u, v: v < 22),
    "pinstripes": (
        "pinstriped, pinstripe",
        "pinstripes, fine pinstripes",
        lambda u, v: u % 32 < 9,
    ),
    "dots": (
        "dotted, polka-dot, spotted",
        "dots, polka dots, spots",
        lambda u, v: ((u + v) % 64 - 32) ** 2 + ((u - v) % 64 - 32) ** 2 < 340,
    ),
    "checks": ("checked, chequered", "checks, chequers", lambda u, v: (u < 14) | (v < 14)),
    "zigzag": ("zigzag, chevron", "zigzags, chevrons", lambda u, v: (v + abs(u - 32)) % 64 < 22),
}
# "= type|family|nouns|shapes", then each "~ cut" and "^ detail" as "phrases|numbers and shapes".
# A phrase follows "with" or, after "+", stands before the noun. A shape is ink, kind, points right
# and down in hundredths of the frame. Ink: b body, n body never printed, a accent, k seam,
# i inside, g metal, f fold; "_" before it: under the rest. Kind: p polygon, s smooth,
# l line, c curve (and its width), o oval (centre, radii), d five dots (radius). "=": half a shape,
# closed by its mirror image; "&": also its mirror image. "*": a corner sharp in smooth or reverse.
TYPES = """
= t-shirt|wear|T-shirt, tee, jersey top|bp= 0,-32 11,-38 23,-34 21,-14 22,36 0,38 al2 -21,34 21,34
fl& 12,-4 17,24 fl& 21,-14 12,-9 ~ +short-sleeved, short sleeves|_bp& 11,-38 30,-32 43,-12 31,-4
20,-16 al3& 30,-6 41,-14 ~ +long-sleeved, long sleeves|_bp& 11,-38 29,-33 39,-5 44,26 34,29 28,0
20,-14 ap& 44,23 45,29 34,32 33,26 ~ +sleeveless, no sleeves|al3& 22,-33 19,-24 20,-13 ^
+crew-neck, a round neck|as= 0,-38 13,-40* 11,-28 0,-24 is= 0,-39 9,-40* 8,-32 0,-28 ^ +V-neck, a
V-shaped neckline|ap= 0,-39 13,-39 0,-13 ip= 0,-39 9,-39 0,-21
= hoodie|wear|hoodie, hooded sweatshirt, hooded jumper|bp= 0,-28 14,-31 26,-27 24,-8 25,32 0,33
_bp& 13,-30 28,-27 38,0 42,30 32,33 28,4 22,-8 bs= 0,-49 15,-47 19,-32 12,-22 0,-18 is= 0,-43
10,-42 11,-32 0,-23 ap= 0,32 25,31 24,38 0,38 ap& 42,29 43,36 33,38 32,32 ~ +zip-up, a full-length
zip|al4 0,-19 0,33 gl2 0,-19 0,32 ~ a kangaroo pocket, one wide front pocket|np= 0,8 11,8 19,25
0,25 al2& 11,8 19,25 ^ long drawstrings, chunky drawstrings|al3& 5,-23 7,0 ao& 7,1 2,2 ^ a round
chest badge, a badge on the chest|ao 12,-12 6,6 no 12,-12 3,3 ^ elbow patches, sewn-on elbow
patches|as& 31,-3 38,4 41,17 34,19 30,5
= dress|wear|dress, frock, day dress|bp= 0,-32 12,-36 14,-26 10,-10 W,Y 0,Y+3 ap= 0,-13 11,-13
12,-7 0,-7 fl& 5,-4 9,Y-4 fl& 10,-6 W-7,Y-4 ~ +mini, a mini length|W=21 Y=13 ~ +maxi, a maxi
length|W=33 Y=52 ^ +strappy, thin shoulder straps|_al3& 9,-33 8,-47 ^ +short-sleeved, short
sleeves|_bp& 0,-28 5,-45 14,-44 27,-29 20,-22 12,-28 al3& 20,-22 26,-29 ^ +long-sleeved, long
sleeves|_bp& 0,-28 5,-45 14,-44 22,-30 30,2 24,4 13,-20 ap& 29,-1 30,5 24,7 23,2
= skirt|wear|skirt, swing skirt, A-line skirt|bp= 0,T 14,T W,Y 0,Y+3 ap= 0,T-2 14,T-2 15,T+4 0,T+4
fl& 5,T+6 10,Y-2 fl& 11,T+8 W-7,Y-2 ~ +mini, a mini length|T=-16 W=27 Y=16 ~ +maxi, a maxi
length|T=-46 W=31 Y=48 ^ +button-front, buttons down the front|kl1 0,T+5 0,Y ad3 0,T+9 0,Y-4 ^
+pompom-trimmed, a pompom hem|ad5 -W+4,Y W-4,Y ^ a bow at the waist, a tied bow|as& 0,T+1 9,T-7
14,T+1 9,T+9 ap& 0,T+2 2,T+2 9,T+16 4,T+17
= trousers|wear+|trousers, slacks, chinos|bp& 0,-44 15,-44 18,-25 K,4 W,44 V,44 J,4 0,-14 ap= 0,-46
15,-46 16,-39 0,-39 kl1 0,-39 0,-15 fl& 11,-20 10,34 ~ +slim-leg, narrow legs|K=15 W=12 V=3 J=3 ~
+wide-leg, wide legs|K=23 W=28 V=4 J=3 ~ +flared, legs flared from the knee|K=13 W=27 V=5 J=3 ^
turn-ups at the ankle, turned-up hems|ap& V-1,36 W+1,36 W+1,45 V-1,45 ^ knee patches, patched
knees|as& J+1,-4 K-2,-4 K-2,13 J+1,13
= coat|wear|coat, overcoat, jacket|_bp& 12,-40 26,-36 34,-8 38,18 28,20 22,-6 ap& 37,13 38,20 28,22
27,16 bp= 0,-40 12,-42 24,-36 21,-10 W,Y 0,Y+1 is= 0,-43 9,-43 8,-36 0,-32 kl1 0,-20 0,Y ap& 8,-44
15,-41 16,-28 10,-29 0,-14 0,-22 fl& 14,-2 W-7,Y-3 ~ +cropped, a cropped body|W=20 Y=12 ~
+full-length, a long body|W=29 Y=50 ^ +single-breasted, one row of buttons|ad2 3,-9 3,Y-6 ^
+double-breasted, two rows of buttons|ad2& 8,-9 8,Y-6 ^ +belted, a tie belt|ap= 0,-8 21,-8 22,-1
0,-1 ap 0,-7 6,-7 9,10 2,10 ap -6,-10 0,-10 0,1 -6,1
= sneaker|shoe+|sneakers, trainers, sports shoes|bs -42,20* -43,2 -39,H* -13,H-2* -9,-8 14,1 36,4
44,20* io -26,H 12,3 fl -14,-4 -16,16 as -45,16* 45,16* 47,S-4 42,S* -44,S* -47,S-4 as 24,3* 38,5
44,17* 28,17* ~ +low-top, a low ankle line|H=-12 S=25 ~ +high-top, a high padded ankle|H=-36 S=25 ~
+platform, a thick platform sole|H=-12 S=36 ^ +lace-up, laces|al3 -16,-1 -5,-8 al3 -8,3 4,-5 al3
0,7 12,-1 ^ two touch straps, touch-close straps|ap -20,4 -9,-9 -2,-6 -11,8 ap -7,10 4,-4 11,-1
3,13
= boot|shoe+|boots, winter boots, outdoor boots|ap -28,24 -8,24 -8,38 -28,38 ap -28,26 41,26 42,32
-28,32 bs -28,28* -29,10 -25,H* 4,H* 5,6 12,12 36,16 41,28* ap -26,H 5,H 5,H+5 -26,H+5 fl -12,0 4,8
fl -20,H+8 -20,12 ~ +ankle-high, an ankle-high shaft|H=-16 ~ +knee-high, a knee-high shaft|H=-56 ^
a buckled strap, a strap and buckle|ap -28,-2 5,-2 8,6 -28,6 go -2,2 4,4 ao -2,2 2,2 ^ +lace-up,
laces|al2 -6,-8 6,-4 al2 -6,-4 6,-8 al2 -6,0 8,5 al2 -4,5 8,0 al2 0,11 16,10 ^ +wool-cuffed, a
woolly cuff|ad5 -24,H+1 3,H+1 ad4 -20,H+5 -1,H+5
= socks|wear+|socks, knitted socks, everyday socks|_bs -22,H-5* -2,H-5* -2,8 4,13 20,19 26,29 16,35
-10,33 -20,25 -22,11 bs -14,H* 8,H* 8,12 14,17 32,22 38,34 28,40 0,39 -12,31 -14,16 fl 8,12 -8,16
_ap -22,H-6 -2,H-6 -2,H -22,H ap -14,H-1 8,H-1 8,H+5 -14,H+5 ~ +ankle-length, an ankle-length
leg|H=-4 ~ +knee-high, a long leg|H=-48 ^ a contrast heel and toe, a coloured heel and toe|as
22,20* 36,22 39,34 28,40 18,40* as -14,22* -8,24 0,39* -12,32 ^ turned-down tops, a folded top|ap
-16,H-2 10,H-2 10,H+12 -16,H+12 ^ a pompom on each side, fluffy pompoms|ao 10,H+4 6,6 _ao -24,H 6,6
= handbag|bag|handbag, bag, ladies' bag|bs= 0,-12* 27,-12* 34,32 28,36* 0,36* ap= 0,29 33,29 30,36
0,36 ~ +short-handled, one short handle|_ac4 -16,-10 -15,-30 15,-30 16,-10 ~ a long shoulder strap,
a shoulder strap|_ac3 -26,-10 -18,-72 18,-72 26,-10 ~ +twin-handled, two handles|_ac3& 4,-10 6,-36
22,-36 24,-10 ^ a fold-over flap, a flap with a clasp|ns= 0,-14* 30,-14* 27,8 0,14 ac2 -29,-10
-24,10 24,10 29,-10 ao 0,9 4,4 go 0,9 2,2 ^ a hanging tassel, a swinging tassel|ap 10,-12 12,-12
12,2 10,2 as 7,2* 15,2* 17,18* 5,18* go 11,2 3,3
= backpack|bag|backpack, rucksack, daypack|_ac4 -8,-36 -7,-50 7,-50 8,-36 _ap& 24,-18 31,-10 31,24
24,30 bs= 0,-40* 14,-40 27,-36 29,38 22,41* 0,41* ap= 0,36 26,36 23,42 0,42 ~ +flap-top, a flap
with two clips|ns= 0,-41* 22,-41 29,-30 27,-8 0,-6 ap& 11,-34 15,-34 15,-2 11,-2 go& 13,-4 3,3 ~
+zip-top, a curved zip|ac3 -24,-8 -23,-33 23,-33 24,-8 gl2 22,-12 22,-3 ~ +roll-top, a rolled
top|np= 0,-46 22,-46 26,-42 26,-34 0,-34 ap= 0,-46 4,-46 4,-24 0,-24 go 0,-28 4,3 ^ a front pocket,
one big front pocket|ns= 0,8* 17,8* 19,32 0,33 al3 -17,9 17,9 ^ twin front pockets, two small
pockets|ns& 3,12* 20,12* 20,32 3,32 al3& 4,12 20,12
= hat|wear|sun hat, summer hat, garden hat|bs= 0,-36 18,-34 23,-14 26,14* 0,15 ap= 0,3 25,3 26,12
0,13 fl& 5,-30 9,0 ~ +wide-brimmed, a wide brim|_bs= 0,3 30,3 50,12 30,22 0,23 ~ +narrow-brimmed, a
narrow brim|_bs= 0,6 22,6 35,12 22,19 0,20 ~ an upturned brim, a rolled-up brim|ns= 0,10 26,9 36,-2
46,-8 44,8 28,20 0,21 ^ a ribbon bow, a bow on the band|as 14,7 6,-1 -2,2 -2,13 6,15 as 14,7 22,-1
30,2 30,13 22,15 ao 14,7 3,3 ^ a tall feather, a feather in the band|as 16,8* 15,-12 28,-40* 33,-14
22,4 kl1 17,6 27,-34
= beanie|wear|beanie, knitted cap, woolly cap|bs= 0,-30 22,-29 33,-8 34,22* 0,24 fl& 6,-24 10,4 fl&
18,-22 24,4 ~ +cuffed, a turned-up cuff|ns= 0,8* 35,7* 36,26* 0,28 al3 -35,10 35,10 kl1& 7,11 7,27
kl1& 21,11 21,26 ~ +ear-flap, ear flaps|_bs& 12,18* 34,14* 36,30 24,42 14,30 _al3& 25,36 26,52 al4
-34,18 34,18 ~ a rolled edge, a thin rolled rim|as= 0,18 36,16* 36,24* 0,27 ^ a pompom, a big
bobble on top|ao 0,-35 11,10 fo 2,-33 4,4 ^ a sewn-on badge, a round badge|ao 0,-6 9,9 no 0,-6 5,5
= mug|table|mug, coffee mug, tea mug|bs= 0,T* W,T* W-1,B W-6,B+3* 0,B+4 ao 0,T W,6 io 0,T W-4,4 ap=
0,B-3 W-1,B-4 W-4,B+3 0,B+4 ~ +tall, a tall body|T=-38 B=36 W=20 ~ +squat, a low wide body|T=-16
B=20 W=32 ^ a round handle, a curved handle|_ac6 W-2,T+10 W+20,T+6 W+20,B-6 W-3,B-10 ^ a square
handle, an angular handle|_al6 W-2,T+9 W+15,T+9 W+15,B-9 W-3,B-9 ^ +two-handled, a handle on each
side|_ac5& W-2,T+10 W+16,T+6 W+16,B-6 W-3,B-10
= umbrella|rain|umbrella, brolly, rain umbrella|_gl3 0,-46 0,36 _gl3 0,-46 0,-40 ~ +crook-handled,
a hooked handle|ac5 0,20 0,42 13,48 14,34 ~ a straight handle, a slim upright handle|ap= 0,16 3,16
4,42 0,42 ^ +scalloped, a scalloped edge|bs= 0,-42 30,-40 46,-4* 38,-12 30,-2* 22,-11 15,0* 7,-10
0,0* kc1& 0,-41 12,-32 15,0 kc1& 0,-41 28,-34 30,-2 ^ +straight-edged, a straight edge|bs= 0,-42
34,-42 46,-2* 0,-2* ap= 0,-6 45,-6 46,-1 0,-1 kc1& 0,-41 15,-30 17,-2 ^ +pompom-trimmed, a pompom
edge|bs= 0,-42 34,-42 46,-4* 0,-2* ad5 -40,-3 40,-3 ad5 -30,-2 30,-2
= teapot|table|teapot, breakfast teapot, family teapot|_bs 16,10* 28,4 36,-20* 44,-22* 38,8 18,26*
as= 0,T-7 9,T-6 14,T+2* 0,T+3 ao 0,T-9 4,4 ap= 0,29 19,28 20,33 0,33 ~ +round, a round body|T=-20
bs= 0,-20* 12,-20 32,-8 31,18 18,30* 0,31* ~ +tall, a tall body|T=-38 bs= 0,-38* 12,-38* 20,-10
28,14 22,30* 0,31* ~ +straight-sided, straight sides|T=-26 bp= 0,-26 24,-26 25,30 0,31 ^ a side
handle, a handle at the side|_ac5 -16,-12 -46,-20 -46,20 -18,18 ^ a handle over the top, an
overhead handle|_ac4 -22,0 -30,T-24 30,T-24 22,0
"""
# {a|b} is one of them; N noun phrase, A with its article, T "this N", F features, B brand.
FRAMES = """{A|A|Our N|The N} with F.
{N with F|N with F|N: F}.
{Say hello to|Discover|Meet|Treat yourself to|New in:} A with F.
{Expect|Look out for|Look for} F on T.
{T|T from B}, {complete|made|designed} with F.
{N by B with F|N by B: F|B presents A with F}.
{We love|You will love|Customers love} T with F.
{From B|Back by demand|Just landed|Staff favourite|Bestseller}: A with F."""
BARE = "{Say hello to|Discover|Meet} A.\n{N by B|From B: A|Back by demand: A|Just landed: A}."
BRAND = "{Northby|Alder and Finch|Marlowe|Tilda Row|Okapi Lane|Hartwell|Juniper House|Pemberly}"
TRIM = "{trim|trim|details|accents|trimmings|finishing touches}"
PROSE = {
    "any": """Free delivery {over thirty pounds|on every order|until Sunday|this week}.
{Was 40, now 25|Was 60, now 45|Now half price|Great value} {while stocks last|online}.
{Ships|Posted|Dispatched} {within two days|tomorrow|the same day|from our warehouse}.
A {lovely|thoughtful|popular} gift for {birthdays|a friend|the whole family|the holidays}.
{Thirty|Sixty|Ninety}-day returns{, no questions asked||, free of charge}.
Rated {4.6|4.7|4.8|4.9} by {our customers|over 200 buyers|happy shoppers}.
{Designed in Leeds|Made in Portugal|Made by a family workshop}, {built|guaranteed} to last.
{Only a few left|Selling fast|Limited stock}, so {order soon|do not wait|get yours today}.""",
    "wear": """{Machine wash|Wash} {cool|at thirty degrees|inside out|with similar fabrics}.
{True to size|Generous fit|Comes up small}, so {take your usual size|see our size guide}.
{Soft|Breathable|Easy-care} {organic cotton|cotton blend|fabric} {for every day|that lasts}.
{Perfect|Made|Ideal} for {weekend|holiday|everyday|early} {walks|trips|outings|mornings}.""",
    "shoe": """Cushioned insole for {long days|all-day comfort|busy weekends|happy feet}.
{Half sizes available|True to size|Order half a size up}{|, sizes 36 to 46|, sizes 3 to 12}.
{Wipe clean|Brush clean} {with a damp cloth|after each wear|when dry}.""",
    "bag": """Room for {a laptop|a tablet|books} and {lunch|a water bottle|your essentials}.
{Light|Sturdy|Roomy} {and ready for|enough for} {work|travel|college|day trips}.""",
    "table": """{Dishwasher and microwave safe|Dishwasher safe}{|, of course|, always}.
{Hand-glazed|Fired|Thrown} {stoneware|ceramic|porcelain} {for slow mornings|for daily use}.""",
    "rain": """Windproof frame for {stormy days|city showers|April weather|the commute}.
Opens {in a second|at the push of a button} and dries {fast|quickly|overnight}.""",
}


@functools.cache
def _types():
    """Parse TYPES: {type: (family, nouns, shapes, cuts, details)}, option: (phrases, shapes)."""
    types = {}
    for entry in re.split(r"\s(?=[=~^]\s)", TYPES.strip()):
        fields = " ".join(entry[2:].split()).split("|")
        phrases = fields[-2].split(", ")
        if entry[0] == "=":
            types[fields[0]] = last = (fields[1], phrases, fields[3], {}, {})
        else:
            name = re.sub("^an? ", "", next(p for p in phrases if p[0] != "+"))
            last[3 + "~^".index(entry[0])][name] = phrases, fields[1]
    return types


@functools.cache
def _options(kind):
    """Return the allowed values of the six shared attributes of this type."""
    cuts, details = _types()[kind][3:] if kind in _types() else ((), ())
    columns = _types(), COLOURS, PATTERNS, COLOURS, cuts, details
    return [list(column) for column in columns]


def _rows(attributes):
    """Check the six shared attributes; return rows of values and codes (n, 6), their places."""
    if missing := [name for name in SHARED if name not in attributes]:
        raise ValueError(f"attributes lack {missing}; give arrays of str for all of {SHARED}")
    columns = [np.atleast_1d(attributes[name]).tolist() for name in SHARED]
    if len(set(map(len, columns))) > 1:
        raise ValueError(f"attributes must be equally long; {list(map(len, columns))} came")
    rows = list(zip(*columns, strict=True))
    for row in rows:
        for name, value, options in zip(SHARED, row, _options(row[0]), strict=True):
            if value not in options:
                raise ValueError(f"{name} {value!r} of {row[0]!r} came; choose one of {options}")
        if row[1] == row[3]:
            raise ValueError(f"accent must differ from colour; {row[1]!r} came for both")
    codes = [[o.index(v) for o, v in zip(_options(row[0]), row, strict=True)] for row in rows]
    return rows, np.array(codes, dtype=np.int64).reshape(-1, 6)


def make_catalogue(n_products, *, random_state, size=64):
    """Return a Catalogue of random products: photos (size x size pixels), descriptions, truth.

    Attributes: the six of ``SHARED`` (str), "mentions" (bool (n, 6): which of them the text
    states), "group" (int, equal where all six are).

    Examples
    --------
    >>> make_catalogue(9, random_state=0).images.shape
    (9, 64, 64, 3)
    """
    _need_int("n_products", n_products, 1)
    rng = np.random.default_rng(random_state)
    rows = []
    for draw in rng.integers(0, 2**30, (int(n_products), 6)).tolist():
        options = _options(list(_types())[draw[0] % len(_types())])
        draw[2] = max(0, draw[2] % 25 - 1) // 4  # plain 5 times in 25, the others 4 times
        draw[3] = draw[1] + 1 + draw[3] % (len(COLOURS) - 1)  # never the colour itself
        rows.append([v[code % len(v)] for v, code in zip(options, draw, strict=True)])
    attributes = dict(zip(SHARED, np.array(rows).T.copy(), strict=True))
    photo_seed, text_seed = rng.integers(0, 2**32, 2).tolist()
    images = draw_products(attributes, random_state=photo_seed, size=size)
    texts, mentions = describe_products(attributes, random_state=text_seed)
    group = np.unique(_rows(attributes)[1] @ 20 ** np.arange(6), return_inverse=True)[1]
    return Catalogue(images, texts, {**attributes, "mentions": mentions, "group": group})


OCTAGON = ((12, 5), (5, 12), (-5, 12), (-12, 5), (-12, -5), (-5, -12), (5, -12), (12, -5))
INKS = " bnakig"  # places in the palette, where 7 outlines the accent


def _shape(match):
    """Return (under, ink, line width or 0, paths) of one shape in TYPES, in 1/16 unit."""
    under, ink, kind, width, mirror, text = match.groups()
    points = [[16 * int(v) for v in p.strip("*").split(",")] for p in text.split()]
    sharp = [(kind in "pl") != p.endswith("*") for p in text.split()]
    if kind in "od":
        (x, y), (u, v) = points
        a, b, n = (u, v, 1) if kind == "o" else (16 * int(width), 16 * int(width), 5)
        centres = [(x + (u - x) * i // 4, y + (v - y) * i // 4) for i in range(n)]
        ovals = [[(x + a * i // 12, y + b * j // 12) for i, j in OCTAGON] for x, y in centres]
        paths = [_smooth(oval, [False] * 8, False) for oval in ovals]
    else:
        if mirror == "=":
            points, sharp = points + [[-x, y] for x, y in points[::-1]], sharp + sharp[::-1]
        paths = [_smooth(points, sharp, kind in "lc")]
    if mirror == "&":
        paths += [[(-x, y) for x, y in path] for path in paths]
    return under, ink, int(width or 1) if kind in "lc" else 0, paths


def _smooth(points, sharp, is_open):
    """Replace each corner that is not sharp by an arc between the middles of its two sides."""
    path = []
    for i, (x, y) in enumerate(points):
        if sharp[i] or (is_open and i in (0, len(points) - 1)):
            path.append((x, y))
            continue
        (a, b), (c, d) = points[i - 1], points[(i + 1) % len(points)]
        for p, q in ((16, 0), (9, 1), (4, 4), (1, 9), (0, 16)):  # weights of a quadratic arc / 32
            r = 32 - p - q
            path.append(((p * a + r * x + q * c) // 32, (p * b + r * y + q * d) // 32))
    return path


@functools.cache
def _drawing(kind, cut, detail):
    """Return the points (n, 2) of a product, centred, and its steps (ink, width, start, stop)."""
    _, _, text, cuts, details = _types()[kind]
    text = " ".join((text, cuts[cut][1], details[detail][1]))
    numbers = {name: int(value) for name, value in re.findall(r"([A-Z])=(-?\d+)", text)}
    text = re.sub(
        r"(-?)([A-Z])([+-]\d+)?",
        lambda m: str(int(m[1] + "1") * numbers[m[2]] + int(m[3] or 0)),
        re.sub(r"[A-Z]=-?\d+", "", text),
    )
    found = re.finditer(r"(_?)([a-z])([pslcod])(\d*)([=&]?)((?: +-?\d+,-?\d+\*?)+)", text)
    steps, points = [], []
    for _, ink, width, paths in sorted(map(_shape, found), key=lambda shape: shape[0] == ""):
        for path in paths:
            steps.append((ink, width, len(points), len(points) + len(path)))
            points += path
    points = np.array(points, dtype=np.int64)
    points -= (points.min(axis=0) + points.max(axis=0)) // 2
    reach = int(np.ptp(points, axis=0).max())  # small products come half-way up to full size
    return points * (reach + 1600) // (2 * reach), steps


def _paint(draw, placed, steps, big):
    """Paint the shapes of a product as ink numbers; return the lines of its folds."""
    folds = []
    for ink, width, start, stop in steps:
        path, fill = placed[start:stop].ravel().tolist(), INKS.find(ink)
        edge = 7 if ink == "a" else 4
        width = width and max(2, width * big // 112)
        if ink == "f":
            folds.append([v // 3 for v in path])
        elif not width:
            draw.polygon(path, fill=fill)
            draw.line(path + path[:2], fill=edge, width=2)
        else:
            if width > 3:
                draw.line(path, fill=edge, width=width + 3, joint="curve")
            draw.line(path, fill=fill, width=width, joint="curve" if width > 3 else None)
    return folds


def _inks(drawing, pattern, pose, side):
    """Paint one product in a pose: ink numbers, 3 x side a side, and the lines of its folds."""
    (points, steps), (angle, scale, mirror, right, down, phase_u, phase_v) = drawing, pose
    big = 3 * side
    cos, sin = (round(1024 * f(math.radians(angle / 8))) for f in (math.cos, math.sin))
    turn = np.array([[cos * mirror, sin * mirror], [-sin, cos]]) * (big * scale)
    placed = points @ turn // (1024 * 100 * 16 * 112) + [big * right // 1000, big * down // 1000]
    canvas = Image.new("L", (big, big))
    folds = _paint(ImageDraw.Draw(canvas), placed, steps, big * scale // 100)
    inks = np.array(canvas)
    if pattern != "plain":
        step = 4 * 112 * 100 * 64 // (big * scale)  # cells of the printed tile per pixel, in 1/64
        x = np.arange(big, dtype=np.int32)
        y = x[:, None]
        u = (((cos * x + sin * y) * (step * mirror) >> 16) + phase_u) & 63
        v = (((cos * y - sin * x) * step >> 16) + phase_v) & 63
        rows, columns = np.divmod(np.arange(64 * 64), 64)
        inks[(inks == 1) & PATTERNS[pattern][2](columns, rows)[v << 6 | u]] = 3
    return inks, folds


def _layers(inks, folds, colour, accent, jitter):
    """Return one product's flat colours, cover, relief and shadow, a third as wide as its inks."""
    colours = np.array([COLOURS[colour][0], COLOURS[accent][0]]) + jitter
    body, trim = np.clip(colours, 0, 255).tolist()
    seam, edge = ([v + 44 if sum(c) < 180 else v * 5 // 8 for v in c] for c in (body, trim))
    inside = [v * 7 // 16 for v in body]
    palette = ((0, 0, 0), body, body, trim, seam, inside, (196, 192, 178), edge)
    cover = Image.fromarray(inks).point([0] + [255] * 255).reduce(3)
    flat = Image.fromarray(inks)
    flat.putpalette(bytes(v for rgb in palette for v in rgb))
    side = cover.width
    relief, shadow = cover.copy(), Image.new("L", cover.size)
    for fold in folds:
        ImageDraw.Draw(relief).line(fold, fill=150, width=max(2, side // 32))
    shadow.paste(cover, (0, side // 24))
    relief = relief.filter(ImageFilter.BoxBlur(side / 32))
    shadow = shadow.filter(ImageFilter.BoxBlur(side // 16))
    return [np.asarray(image) for image in (flat.convert("RGB").reduce(3), cover, relief, shadow)]


def _light(layers, chance, rng):
    """Light the layers of some products and lay them on a backdrop; integers throughout."""
    flat, cover, relief, shadow = (np.stack(layer).astype(np.int32) for layer in layers)
    chance = chance.astype(np.int32)[:, :, None, None]
    slope_x, slope_y = (np.roll(relief, -1, k) - np.roll(relief, 1, k) for k in (2, 1))
    glow = slope_x * (chance[:, 0] % 25 - 12) + slope_y * (8 + chance[:, 1] % 9)  # from above
    shade = 236 + chance[:, 2] % 29 + glow // 24 + (relief - 230) // 4
    out = flat * np.clip(shade, 90, 330)[..., None] >> 8
    out += np.clip(glow, 0, None)[..., None] // 160
    ramp = np.arange(flat.shape[1], dtype=np.int32)[:, None, None] * 20 // flat.shape[1]
    backdrop = 236 + np.moveaxis(chance[:, 3:6], 1, 3) % 20 - ramp
    out += (backdrop * (1024 - shadow[..., None]) >> 10) * (256 - cover[..., None]) >> 8
    out += rng.integers(-4, 5, out.shape, dtype=np.int8)
    return np.clip(out, 0, 255).astype(np.uint8)


def draw_products(attributes, *, random_state, size=64):
    """Return uint8 photos (n, size, size, 3) of products with these six shared attributes.

    What no text mentions is random: tilt, mirror image, scale, place, light, backdrop, a little of
    the colour, noise. ValueError on unknown values or a size under 48 pixels.
    """
    _need_int("size", size, 48)
    rows, size = _rows(attributes)[0], int(size)
    rng = np.random.default_rng(random_state)
    chance = rng.integers(0, 2**16, (len(rows), 16))
    low = [-48, 90, 0, 470, 470, 0, 0, -4, -4, -4]  # tilt in 1/8 degree, scale in per cent, ...
    poses = low + chance[:, :10] % [97, 16, 2, 61, 61, 64, 64, 9, 9, 9]
    poses[:, 2] = 2 * poses[:, 2] - 1
    images = np.empty((len(rows), size, size, 3), dtype=np.uint8)
    for start in range(0, len(rows), 128):
        part, layers = slice(start, start + 128), []
        for row, pose in zip(rows[part], poses[part].tolist(), strict=True):
            inks, folds = _inks(_drawing(row[0], *row[4:]), row[2], pose[:7], size)
            layers.append(_layers(inks, folds, row[1], row[3], pose[7:]))
        images[part] = _light(zip(*layers, strict=True), chance[part, 10:], rng)
    return images


def _expand(text, pick):
    """Replace each {a|b|c} by one of its options."""
    return re.sub(r"\{([^{}]*)\}", lambda match: pick(match[1].split("|")), text)


def _noun_phrase(row, says, pick):
    """Return (noun phrase, list of features) that state exactly the attributes in says."""
    kind, colour, pattern, accent, *parts = row
    before, features, (adjectives, nouns, _) = [], [], PATTERNS[pattern]
    for part, options, said in zip(parts, _types()[kind][3:], says[4:], strict=True):
        phrase = pick(options[part][0])
        if said:
            (before if phrase[0] == "+" else features).append(phrase.lstrip("+"))
    colour = [pick(COLOURS[colour][1].split(", "))] * says[1]
    accent = pick(COLOURS[accent][1].split(", ")) if says[3] else ""
    adjective = [pick(adjectives.split(", "))] * says[2]
    plain, printed, after = (adjective, [], "") if pattern == "plain" else ([], adjective, "")
    if printed and (accent or pick((0, 1))):
        extra = pick(("", " and trim", " and edging")) if accent and not features else ""
        features.insert(0, f"{accent} {pick(nouns.split(', '))}{extra}".strip())
        printed, accent = [], ""
    if accent:
        features.append(f"{accent} {_expand(TRIM, pick)}")
    if colour and not printed and pick((0, 0, 1)):
        colour, after = [], f" in {colour[0]}"
    words = before + colour if pick((0, 1)) else colour + before
    turn = pick(range(len(features))) if features else 0
    noun = " ".join([*plain, *words, *printed, pick(_types()[kind][1])]) + after
    return noun, features[turn:] + features[:turn]


def _write(row, says, pick):
    """Write one description: a sentence on the product, and shop prose before or after it."""
    noun, features = _noun_phrase(row, says, pick)
    family = _types()[row[0]][0]
    plural = family.endswith("+")
    text = _expand(pick((FRAMES if features else BARE).split("\n")), pick)
    forms = {"B": _expand(BRAND, pick), "N": noun, "T": f"{'these' if plural else 'this'} {noun}"}
    forms["A"] = pick(("a pair of ", "")) if plural else "an " if noun[0] in "aeiouA" else "a "
    forms["A"] += noun
    forms["F"] = " and ".join([", ".join(features[:-1])] * (len(features) > 1) + features[-1:])
    sentences = [re.sub(r"\b[BNTAF]\b", lambda match: forms[match[0]], text)]
    prose = f"{PROSE['any']}\n{PROSE[family.rstrip('+')]}".split("\n")
    least = pick(range(10, 22))
    for _ in range(4):
        line = _expand(prose.pop(pick(range(len(prose)))), pick)
        n_words = len(" ".join(sentences).split())
        if n_words < least and n_words + len(line.split()) <= 25:
            sentences.insert(pick((0, len(sentences), len(sentences))), line)
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def describe_products(attributes, *, random_state):
    """Return (texts, mentions): a shop's description of each product, and what it states.

    ``mentions`` is bool (n, 6) in the order of ``SHARED``: the type always, each other attribute
    in about six texts of seven. The rest of a text (delivery, care, brand) no photo shows.
    """
    rows = _rows(attributes)[0]
    rng = np.random.default_rng(random_state)
    mentions = rng.integers(0, 100, (len(rows), 6)) >= OMITTED
    texts = []
    for row, says in zip(rows, mentions.tolist(), strict=True):
        dice = iter(rng.integers(0, 2**30, 64).tolist())
        texts.append(_write(row, says, lambda options, d=dice: options[next(d) % len(options)]))
    return texts, mentions


def oracle_scores(attributes_of_photos, texts_attributes, mentions):
    """Return scores (n_photos, n_texts), float: the best any reader of the photos could do.

    Where all a text states is true of the photo, the score is -log of the share of products of
    which it is true (the Bayes posterior, up to a constant); each false statement costs 1000.
    Equal fits tie exactly. ``mentions``, bool (n_texts, 6), says what each text states.
    """
    (_, photos), (rows, texts) = _rows(attributes_of_photos), _rows(texts_attributes)
    mentions = np.asarray(mentions, dtype=bool)
    if mentions.shape != texts.shape:
        raise ValueError(f"mentions must be bool {texts.shape}; {mentions.shape} came")
    chances = np.array([[len(o) for o in _options(row[0])] for row in rows], dtype=float)
    chances[:, 2] = np.where(texts[:, 2] == 0, 25 / 5, 25 / 4)
    chances[:, 3] -= mentions[:, 1]  # one colour less is possible once the main one is known
    gains = np.round(np.log(chances) * 2**20) / 2**20  # their sums are exact, so ties are exact
    scores = np.zeros((len(photos), len(texts)))
    for k in range(6):
        gain = np.where(photos[:, k, None] == texts[:, k], gains[:, k], -1000.0)
        scores += np.where(mentions[:, k], gain, 0.0)
    return scores
