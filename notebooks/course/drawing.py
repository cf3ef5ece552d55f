"""Draws the generated shop's products: from the shapes in `grammar.TYPES` to lit photos.

All in integers, so that the photos are the same on every machine: shapes become polygons, these a
large picture of ink numbers, that is coloured and reduced, and lit.
"""

import functools
import math
import re

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from .grammar import COLOURS, PATTERNS, checked, types

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
    whole = types()[kind]
    text = " ".join((whole.shapes, whole.cuts[cut].shapes, whole.details[detail].shapes))
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
    """Return photos of products.

    Parameters
    ----------
    attributes : dict of str arrays (n,), the six of ``grammar.SHARED``
    random_state : int or numpy.random.Generator
        What no text mentions is random: tilt, mirror image, scale, place, light, backdrop, a
        little of the colour, noise.
    size : int, at least 48

    Returns
    -------
    uint8 array (n, size, size, 3)
    """
    if not isinstance(size, int | np.integer) or size < 48:
        raise ValueError(f"size must be an int >= 48; {size!r} came")
    rows, size = checked(attributes)[0], int(size)
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
