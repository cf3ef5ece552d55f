"""The generated shop: its catalogue, its split, its oracle, and what is kept of it on disk."""

import contextlib
import hashlib
import os
import pathlib
import uuid

import numpy as np

import crossmodal_utils as cm

from .drawing import draw_products
from .grammar import (
    SHARED,
    checked,
    columns_of,
    describe_products,
    designs,
    options,
    random_products,
    rows_of,
)

FOLDER = pathlib.Path(__file__).parent


def version_of(*sources):
    """Return eight digits that change with the text of source files; relative ones lie here.

    Ask while a module is imported: later the text may no longer be that of the code that runs.
    """
    digest = hashlib.sha256()
    for source in sources:
        digest.update(FOLDER.joinpath(source).read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:8]


VERSION = version_of("grammar.py", "drawing.py", "shop.py")  # of the products
VERSION_OF_MODEL = version_of("grammar.py", "drawing.py", "shop.py", cm.__file__)


def make_catalogue(n_products, *, random_state, size=64):
    """Return a Catalogue of random products.

    Parameters
    ----------
    n_products : int
    random_state : int or numpy.random.Generator
    size : int, at least 48
        Height and width of a photo.

    Returns
    -------
    crossmodal_utils.Catalogue
        Its attributes are the six of ``SHARED``, str (n,), and "mentions", bool (n, 6): which of
        them the text states. Products that agree in all six are one group.

    Examples
    --------
    >>> make_catalogue(9, random_state=0).images.shape
    (9, 64, 64, 3)
    """
    is_int = isinstance(n_products, int | np.integer) and not isinstance(n_products, bool)
    if not is_int or n_products < 1:
        raise ValueError(f"n_products must be an int >= 1; {n_products!r} came")
    rng = np.random.default_rng(random_state)
    codes = random_products(int(n_products), rng)
    attributes = columns_of(rows_of(codes))
    photo_seed, text_seed = rng.integers(0, 2**32, 2).tolist()
    images = draw_products(attributes, random_state=photo_seed, size=size)
    texts, mentions = describe_products(attributes, random_state=text_seed)
    return cm.Catalogue(images, texts, {**attributes, "mentions": mentions}, designs(codes))


def oracle_scores(attributes_of_photos, texts_attributes, mentions):
    """Return the scores of the best that any reader of the photos could do.

    Where all a text states is true of the photo, the score is -log of the share of products of
    which it is true (the Bayes posterior, up to a constant); each false statement costs 1000.
    Equal fits tie exactly.

    Parameters
    ----------
    attributes_of_photos : dict of str arrays (n_photos,), the six of ``SHARED``
    texts_attributes : dict of str arrays (n_texts,)
    mentions : bool array (n_texts, 6)
        What each text states.

    Returns
    -------
    float array (n_photos, n_texts)
    """
    (_, photos), (rows, texts) = checked(attributes_of_photos), checked(texts_attributes)
    mentions = np.asarray(mentions, dtype=bool)
    if mentions.shape != texts.shape:
        raise ValueError(f"mentions must be bool {texts.shape}; {mentions.shape} came")
    chances = np.array([[len(o) for o in options(row[0])] for row in rows], dtype=float)
    chances[:, 2] = np.where(texts[:, 2] == 0, 25 / 5, 25 / 4)
    chances[:, 3] -= mentions[:, 1]  # one colour less is possible once the main one is known
    gains = np.round(np.log(chances) * 2**20) / 2**20  # their sums are exact, so ties are exact
    scores = np.zeros((len(photos), len(texts)))
    for k in range(len(SHARED)):
        gain = np.where(photos[:, k, None] == texts[:, k], gains[:, k], -1000.0)
        scores += np.where(mentions[:, k], gain, 0.0)
    return scores


# --- the course's products and model, kept in notebooks/saved/ ----------------------------------


def shop():
    """Return the course's products as (train, validation, test): 7,000, 500 and 1,000.

    No product of one part has the same six shared attributes as one of another. They are drawn
    once (some 10 s) and then read from notebooks/saved/.
    """
    path = saved_file(f"shop_{VERSION}.npz")
    try:
        products = _read(path)
    except FileNotFoundError:
        products = make_catalogue(8800, random_state=0)
        columns = {f"attribute/{name}": rows for name, rows in products.attributes.items()}
        texts = np.array(products.texts)
        write_safely(path, np.savez, images=products.images, texts=texts, **columns)
    return _split(products, n_train=7000, n_validation=500, n_test=1000)


def _read(path):
    """Return the Catalogue in a file that `shop` wrote."""
    with np.load(path, allow_pickle=False) as file:
        columns = [name for name in file.files if name.startswith("attribute/")]
        attributes = {name.removeprefix("attribute/"): file[name] for name in columns}
        groups = designs(checked(attributes)[1])
        return cm.Catalogue(file["images"], file["texts"].tolist(), attributes, groups)


def _split(products, *, n_train, n_validation, n_test):
    """Return (train, validation, test), random parts without a design in common.

    ``products.split`` would do; here the parts do not depend on how the helper draws them.
    """
    _, design = np.unique(designs(checked(products.attributes)[1]), return_inverse=True)
    rank = np.random.default_rng(0).permutation(design.max() + 1)[design]
    order = np.argsort(rank, kind="stable")
    rank, start, parts = rank[order], 0, []
    for size in (n_test, n_validation):
        parts.insert(0, np.sort(order[start : start + size]))
        # The rest of the last design is in no part.
        start = np.searchsorted(rank, rank[start + size - 1], side="right")
    parts.insert(0, np.sort(order[start:])[:n_train])
    return tuple(products[part] for part in parts)


def shop_model(train, validation, fitted=None):
    """Return the contrastive model that 01 trains on these products.

    Trained once (some 15 s) and then read from notebooks/saved/. The tests, which run 01 as it is
    committed, save the training by giving the model that 01 has ``fitted`` the same way.
    """
    texts = "\n".join([*train.texts, "", *validation.texts])
    of_texts = hashlib.sha256(texts.encode()).hexdigest()[:8]
    path = saved_file(f"shop_model_{of_texts}_{VERSION_OF_MODEL}.skops")
    if path.exists():
        return cm.CrossModalModel.load(path)
    if fitted is not None and os.environ.get("COURSE_STRICT") == "1":
        write_safely(path, fitted.save)
        return fitted
    aligner = cm.ContrastiveAligner(temperature=0.12)  # chosen on other products, see 01
    model = cm.CrossModalModel(contrastive=aligner).fit(
        train.images,
        train.texts,
        validation=(validation.images, validation.texts),
        groups=train.groups,
    )
    write_safely(path, model.save)
    return model


def saved_file(name):
    """Return a path in notebooks/saved/; the name ends in the version of what is in the file."""
    return FOLDER.parent / "saved" / name


def write_safely(path, write, **options):
    """Call ``write(new path, **options)``, then rename, so that no reader ever sees half a file.

    Files of other versions, which nothing reads any more, are removed.
    """
    path.parent.mkdir(exist_ok=True)
    new = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        write(new, **options)
        new.replace(path)
    except PermissionError:  # on Windows, where another process wrote the same and now reads it
        if not path.exists():
            raise
    finally:
        new.unlink(missing_ok=True)
    for old in path.parent.glob(f"{path.stem.rpartition('_')[0]}_????????{path.suffix}"):
        if old != path:
            with contextlib.suppress(OSError):  # Windows keeps what another process reads
                old.unlink()
