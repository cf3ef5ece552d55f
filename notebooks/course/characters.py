"""The characters of a font as pictures, and their names as texts."""

import functools
import pathlib
import unicodedata

import matplotlib
import numpy as np
from matplotlib import ft2font
from PIL import Image, ImageDraw, ImageFont

import crossmodal_utils as cm


def characters(*, font="DejaVuSans.ttf", size=48):
    """Return a Catalogue of all named characters that a font of Matplotlib draws.

    Parameters
    ----------
    font : str
        A file among Matplotlib's fonts.
    size : int, at least 16
        Height and width of a picture; all have one scale and one baseline, black on white.

    Returns
    -------
    crossmodal_utils.Catalogue
        Its texts are the Unicode names, its attribute "codepoint" is int (n,).
    """
    if not isinstance(size, int | np.integer) or size < 16:
        raise ValueError(f"size must be an int >= 16; {size!r} came")
    folder = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf")
    if font not in (fonts := sorted(path.name for path in folder.glob("*.ttf"))):
        raise ValueError(f"font {font!r} does not ship with Matplotlib; choose one of {fonts}")
    path = str(folder / font)
    face = functools.cache(functools.partial(ImageFont.truetype, path, layout_engine=PLAIN))
    drawn = {}
    for code in sorted(ft2font.FT2Font(path).get_charmap()):
        if unicodedata.name(chr(code), ""):
            drawn[code] = _draw(chr(code), face, int(size))
    drawn = {code: image for code, image in drawn.items() if image.min() < 255}
    images = np.stack(list(drawn.values()))[..., None].repeat(3, axis=3)
    names = [unicodedata.name(chr(code)) for code in drawn]
    return cm.Catalogue(images, names, {"codepoint": np.array(list(drawn))})


PLAIN = ImageFont.Layout.BASIC  # the same everywhere; the other needs a library not all have


def _draw(character, face, size):
    """Return a character as uint8 (size, size), made smaller or moved only if it does not fit."""
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
    return np.asarray(image)
