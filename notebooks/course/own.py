"""What notebook 05 takes when the reader has no catalogue at hand, and how it shows a widget."""

import csv
import functools
import os
import pathlib
import tempfile

import numpy as np
from IPython.display import display
from PIL import Image

from .drawing import draw_products
from .grammar import COLOURS, SHARED, describe_products
from .shop import make_catalogue

_folders = []  # kept alive for as long as Python runs, then removed


@functools.cache
def stand_in(n_families=240, n_siblings=4, random_state=0):
    """Write a small shop to a temporary folder, as shops are: a CSV file and a folder of photos.

    Products arrive in families: one shape in several colours, numbered one after the other. Every
    tenth has a second photo, in a row of its own. Returns the path of the table and what
    `cm.load_catalogue` needs to know of its columns.
    """
    _folders.append(tempfile.TemporaryDirectory(prefix="stand_in_"))
    folder = pathlib.Path(_folders[-1].name)
    (folder / "photos").mkdir()
    rng = np.random.default_rng(random_state)
    shop = make_catalogue(n_families, random_state=rng)
    rows = {name: np.repeat(shop.attributes[name], n_siblings) for name in SHARED}
    colours = np.array([rng.permutation(list(COLOURS)) for _ in range(n_families)])
    rows["colour"] = colours[:, :n_siblings].ravel()
    rows["accent"] = np.repeat(colours[:, -1], n_siblings)  # never the colour it lies on
    texts, _ = describe_products(rows, random_state=rng)
    prices = np.repeat(rng.integers(8, 90, n_families), n_siblings) + 0.9
    product = np.sort(np.concatenate([np.arange(len(texts)), np.arange(0, len(texts), 10)]))
    photos = draw_products({n: v[product] for n, v in rows.items()}, random_state=rng, size=96)
    with open(folder / "products.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["photo", "sku", "product", "price", "description"])
        for number, (photo, i) in enumerate(zip(photos, product.tolist(), strict=True), 20001):
            Image.fromarray(photo).save(folder / "photos" / f"{number}.jpg", quality=92)
            row = [f"photos/{number}.jpg", number, f"P{i}", f"{prices[i]:.2f}", texts[i]]
            table.writerow(row)
    columns = {"image_column": "photo", "text_column": "description", "group_column": "product"}
    return folder / "products.csv", columns


def show_widget(box):
    """Display a widget where a browser can show it; the tests' runs keep no widgets."""
    if os.environ.get("COURSE_STRICT") == "1":
        print("The search box stands here once you have run this cell yourself.")
    else:
        display(box)
