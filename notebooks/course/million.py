"""A million descriptions of the generated shop as unit vectors, and queries that ask for some."""

import concurrent.futures
import math
import multiprocessing

import numpy as np
import threadpoolctl
from sklearn.decomposition import PCA

from . import grammar
from .shop import saved_file, shop, version_of, write_safely

VERSION = version_of("grammar.py", "drawing.py", "shop.py", "million.py")
GRID = 2048  # coordinates are whole multiples of 1 / GRID, see `on_grid`
CHUNK = 10_000  # descriptions written at a time, each chunk from a seed of its own


class Gallery:
    """Descriptions as unit rows, and queries whose true item is known.

    Attributes
    ----------
    E : float32 array (n, d), descriptions; row i below ``n_true`` is that of test product i
    photos, paraphrases : float32 arrays (n_true, d); query i is for row i
    texts : list of n str
    paraphrase_texts : list of n_true str, a second description of each test product
    axes : float64 array (d_model, d_model), principal axes of the model's embeddings
    products : int8 array (n_true, 6), codes of the test products, see `grammar.options`
    stated : int8 array (n, 6), codes of what each description states, -1 where it is silent
    """

    def __init__(self, E, photos, paraphrases, texts, paraphrase_texts, axes, products, stated):
        self.E, self.photos, self.paraphrases = E, photos, paraphrases
        self.texts, self.paraphrase_texts = texts, paraphrase_texts
        self.axes, self.n_true = axes, len(photos)
        self.products, self.stated = products, stated

    def project(self, Z, n_components=None):
        """Return the model's embeddings (m, d_model) as rows like those of ``E``, (m, d)."""
        return on_grid(Z @ self.axes[:, : n_components or self.E.shape[1]])

    def is_of(self, model, test):
        """Return whether this model made the vectors; a last digit may differ."""
        few = test[:50]
        E, photos = model.encode_text(few.texts), model.encode_image(few.images)
        if self.texts[: len(few)] != few.texts or E.shape[1] != len(self.axes):
            return False
        made = np.concatenate([self.project(E), self.project(photos)])
        kept = np.concatenate([self.E[: len(few)], self.photos[: len(few)]])
        return bool(np.abs(made - kept).max() < 2 / GRID)


def on_grid(Z):
    """Return rows scaled to length 1 and rounded to multiples of 1 / GRID, as float32.

    A product of two such numbers is a multiple of 2**-22, and so is a sum of them. Below 4 all of
    these are float32 numbers: scores are exact, and the same on every machine and in every order
    of adding. The price is a coordinate's error of at most 0.00025.
    """
    lengths = np.maximum(np.linalg.norm(Z, axis=1, keepdims=True), 1e-12)
    return (np.rint(Z * (GRID / lengths)) / GRID).astype(np.float32)


def million(model, *, n_items=1_000_000, n_components=64, n_jobs=2, report=None):
    """Return the Gallery of this model, read from notebooks/saved/ if it was built before.

    Parameters
    ----------
    model : fitted `crossmodal_utils.CrossModalModel`
    n_items, n_components : int, how many descriptions, and numbers for each
    n_jobs : int, processes; the result is the same for any number
    report : callable, optional; called with a line of progress now and then
    """
    train, _, test = shop()
    path = saved_file(f"million_{n_items}_{n_components}_{VERSION}.npz")
    if path.exists():
        with np.load(path, allow_pickle=False) as file:
            gallery = Gallery(**{name: _unpacked(file[name]) for name in file.files})
        if gallery.is_of(model, test):
            return gallery
    options = dict(n_items=n_items, n_components=n_components, n_jobs=n_jobs, report=report)
    gallery = build(model, train.texts, test, **options)
    parts = {name: _packed(part) for name, part in vars(gallery).items() if name != "n_true"}
    write_safely(path, np.savez, **parts)
    return gallery


def _packed(part):
    """Return a list of str as one array of bytes, an array as it is."""
    return np.frombuffer("\n".join(part).encode(), np.uint8) if isinstance(part, list) else part


def _unpacked(part):
    """Return what `_packed` was given."""
    return part.tobytes().decode().split("\n") if part.dtype == np.uint8 else part


def build(model, train_texts, test, *, n_items, n_components=64, n_jobs=1, report=None):
    """Return a Gallery, written and encoded afresh: test's products first, then others."""
    E = model.encode_text(train_texts).astype(float)
    for name, value, least, most in (
        ("n_items", n_items, len(test), math.inf),
        ("n_components", n_components, 1, E.shape[1]),
    ):
        if not least <= value <= most:
            raise ValueError(f"{name} must be from {least} to {most}; {value} came")
    axes = PCA(svd_solver="full").fit(E).components_.T
    first_axes = axes[:, :n_components]
    second = grammar.describe_products(test.attributes, random_state=1)[0]
    products = grammar.checked(test.attributes)[1]
    vectors = np.empty((n_items, n_components), dtype=np.float32)
    vectors[: len(test)] = on_grid(model.encode_text(test.texts) @ first_axes)
    stated = np.empty((n_items, 6), dtype=np.int8)
    stated[: len(test)] = np.where(test.attributes["mentions"], products, -1)
    texts, seen, n_told = [*test.texts], {*test.texts, *second}, 0
    given = model, first_axes, grammar.designs(products)
    for encoded, written, says in _chunks(given, n_items, n_jobs):
        fresh = [i for i, text in enumerate(written) if text not in seen]
        fresh = fresh[: n_items - len(texts)]
        place = slice(len(texts), len(texts) + len(fresh))
        vectors[place], stated[place] = encoded[fresh], says[fresh]
        texts += [written[i] for i in fresh]
        seen.update(written)
        if report is not None and len(texts) * 10 // n_items > n_told:
            n_told = len(texts) * 10 // n_items
            report(f"{len(texts):9,d} descriptions")
        if len(texts) == n_items:
            break
    return Gallery(
        E=vectors,
        photos=on_grid(model.encode_image(test.images) @ first_axes),
        paraphrases=on_grid(model.encode_text(second) @ first_axes),
        texts=texts,
        paraphrase_texts=second,
        axes=axes,
        products=products.astype(np.int8),
        stated=stated,
    )


def _chunks(given, n_items, n_jobs):
    """Yield (rows, texts, stated) of one chunk after the other, until nobody asks for more."""
    n_chunks = math.ceil(1.05 * n_items / CHUNK) + 1  # some texts come twice and are left out
    if n_jobs == 1:
        _keep(*given)
        yield from map(_write_and_encode, range(n_chunks))
        return
    # Fresh processes, not copies of this one: the same on Linux, macOS and Windows.
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(n_jobs, context, _keep, given)
    try:
        yield from pool.map(_write_and_encode, range(n_chunks))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_kept = {}  # what a process keeps from one chunk to the next


def _keep(model, axes, taken):
    """Give a process what it needs for every chunk."""
    _kept.update(model=model, axes=axes, taken=taken)


def _write_and_encode(number):
    """Return rows (m, d), texts and what they state, of m products that are not to be found."""
    rng = np.random.default_rng([7, number])
    codes = grammar.random_products(CHUNK, rng)
    codes = codes[~np.isin(grammar.designs(codes), _kept["taken"])]
    texts, mentions = grammar.describe(grammar.rows_of(codes), rng)
    # One thread: the processes share the cores, and sums come out in one order.
    with threadpoolctl.threadpool_limits(1, "blas"):
        rows = on_grid(_kept["model"].encode_text(texts) @ _kept["axes"])
    return rows, texts, np.where(mentions, codes, -1)
