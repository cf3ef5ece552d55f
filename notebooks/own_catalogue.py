"""What notebook 05 needs for a reader's own data: a shop on disk, and vectors of encoders."""

import csv
import importlib.util
import pathlib

import numpy as np
from PIL import Image
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.random_projection import GaussianRandomProjection

import crossmodal_utils as cm

# --- a shop on disk -----------------------------------------------------------------------------


def write_shop(folder, *, n_products=600, random_state=0):
    """Write a shop to a folder, as shops are: pictures of many kinds and one CSV file.

    Every tenth product is listed twice, under one text, with another photo: real shops do that.
    The column "group" says which rows show the same product. Returns the path of the CSV file.
    """
    folder = pathlib.Path(folder)
    (folder / "images").mkdir()
    shop = cm.make_catalogue(n_products, random_state=random_state, size=72)
    again = shop[::10]
    attributes = {name: again.attributes[name] for name in cm.SHARED}
    photos = cm.draw_products(attributes, random_state=random_state + 1, size=72)
    rows = [["sku", "image", "text", "group"]]
    photos, items = [*shop.images, *photos], [*range(n_products), *range(0, n_products, 10)]
    for number, (photo, item) in enumerate(zip(photos, items, strict=True)):
        name = _save(Image.fromarray(photo), folder, number)
        group = shop.attributes["group"][item]
        rows.append([f"S{1000 + number}", name, shop.texts[item], f"G{group}"])
    with open(folder / "shop.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return folder / "shop.csv"


def _save(photo, folder, number):
    """Save a photo in one of eight kinds; return its path as the CSV file states it."""
    kind, options = _KINDS[7 if number % 40 == 7 else number % 7], {}
    if kind == "turned.jpg":
        exif = Image.Exif()
        exif[0x0112] = 6  # held upright, the camera saved the picture on its side and noted it
        photo, options = photo.transpose(Image.Transpose.ROTATE_90), {"exif": exif}
    elif kind == "large.jpg":
        photo = photo.resize((300, 300))
    elif kind == "narrow.bmp":
        photo = photo.crop((4, 0, 68, 72))
    elif "-" in kind:
        photo = photo.convert(kind.partition("-")[0])
    name = f"images/{1000 + number}.{kind.partition('.')[2]}"
    photo.save(folder / name, **options)
    return name


_KINDS = ["RGB-.png", "large.jpg", "RGBA-.png", "CMYK-.jpg", "P-.gif", "turned.jpg", "narrow.bmp"]
_KINDS += ["L-.png"]


def damage_shop(path):
    """Damage nine rows of the shop, each in another way that happens to real files."""
    rows = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    pictures = sorted((pathlib.Path(path).parent / "images").iterdir())
    pictures[20].unlink()
    pictures[41].write_bytes(pictures[41].read_bytes()[:-400])  # a copy that broke off
    pictures[77].write_bytes(b"")
    pictures[105].write_text("<!DOCTYPE html><title>404 Not Found</title>")
    fields = list(csv.reader(rows))
    fields[151][1] = "../../another-shop/mug.png"
    fields[202][1] = "https://example.org/mug.png"
    fields[260][2] = "nan"
    fields[303][2] = " "
    fields[404].append("an extra comma")
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(fields)


# --- vectors of encoders ------------------------------------------------------------------------


def stand_in_vectors(images, texts, *, width=192):
    """Return (X, Y), float32 (n, width), unit rows: two simple encoders that never met.

    Photos: each one shrunk to 16 x 16 pixels. Texts: counts of runs of three to five letters. Both
    projected at random to one width. Nothing is learned from any data, here or elsewhere.
    """
    pixels = cm.as_photos(images, 16).reshape(len(images), -1) / 255.0
    counter = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=2**14)
    counts = counter.transform(texts).toarray()
    project = GaussianRandomProjection(width, random_state=0)
    return tuple(_unit(project.fit_transform(Z)).astype(np.float32) for Z in (pixels, counts))


def _unit(X):
    """Return rows scaled to length 1, so that inner products are cosines; a row of zeros stays."""
    return X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), 1e-12)


def missing_for(folder, *libraries):
    """Return what keeps an encoder from running: a library or a folder; empty if nothing does."""
    if folder is None:
        return "no model folder is named"
    for name in libraries:
        if importlib.util.find_spec(name) is None:
            return f"the library {name} is not installed"
    return "" if pathlib.Path(folder).is_dir() else "the model folder does not exist"


def transformers_vectors(folder, images, texts, *, batch_size=64):
    """Return (X, Y), float32 (n, d), unit rows: a CLIP or SigLIP model's, in a local folder."""
    import torch
    from transformers import AutoModel, AutoProcessor

    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    words = {"padding": "max_length", "truncation": True}  # as SigLIP was trained; CLIP masks it
    X, Y = [], []
    with torch.inference_mode():
        for start in range(0, len(texts), batch_size):
            part = slice(start, start + batch_size)
            photos = processor(images=list(images[part]), return_tensors="pt")
            tokens = processor(text=list(texts[part]), return_tensors="pt", **words)
            X.append(_vectors(model.get_image_features(**photos)))
            Y.append(_vectors(model.get_text_features(**tokens)))
    return _unit(np.concatenate(X)), _unit(np.concatenate(Y))


def _vectors(output):
    """Return the array in what a model returns: from version 5 on it comes with other outputs."""
    return getattr(output, "pooler_output", output).float().numpy()


def open_clip_vectors(folder, images, texts, *, batch_size=64):
    """Return (X, Y), float32 (n, d), unit rows: an OpenCLIP model's, in a local folder."""
    import open_clip
    import torch

    name = f"local-dir:{folder}"
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    model, tokenize = model.eval(), open_clip.get_tokenizer(name)
    X, Y = [], []
    with torch.inference_mode():
        for start in range(0, len(texts), batch_size):
            part = slice(start, start + batch_size)
            photos = torch.stack([preprocess(Image.fromarray(image)) for image in images[part]])
            X.append(model.encode_image(photos).float().numpy())
            Y.append(model.encode_text(tokenize(list(texts[part]))).float().numpy())
    return _unit(np.concatenate(X)), _unit(np.concatenate(Y))
