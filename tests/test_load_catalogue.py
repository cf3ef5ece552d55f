"""Tests of `load_catalogue`: pictures of every kind come right, and damage is always named."""

import contextlib
import gzip
import io
import os
import pathlib
import signal
import struct
import sys
import warnings
import weakref
import zipfile
import zlib

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, TiffImagePlugin, features

import crossmodal_utils as cm

SIDE = 40


@pytest.fixture(autouse=True)
def time_limit():
    """Stop a test that hangs, where the system can."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def stop(*_):
        raise TimeoutError("longer than 10 s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def photo(side=SIDE):
    """Return a picture, uint8 (side, side, 3), that no turn and no mirror leaves as it is."""
    y, x = np.mgrid[:side, :side] / (side - 1)
    smooth = np.stack([255 * x, 255 * y, 255 * (1 - x) * (1 - y)], axis=2)
    smooth[: side // 4, : side // 2] = (250, 20, 20)
    return smooth.astype(np.uint8)


PHOTO = Image.fromarray(photo())


def encoded(format="PNG", image=PHOTO, **options):
    """Return the bytes of a picture file."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def quoted(value):
    """Return a value as a field of a CSV file."""
    return '"' + value.replace('"', '""') + '"'


def shop(folder, *rows, header="image,text"):
    """Write two good rows, then these; return the path of the CSV file.

    A row is a line as it stands, or a pair of an image's path and a text.
    """
    folder.mkdir(exist_ok=True)
    (folder / "good.png").write_bytes(encoded())
    rows = ["good.png,a red mug", "good.png,a blue mug", *rows]
    lines = [row if isinstance(row, str) else ",".join(map(quoted, row)) for row in rows]
    path = folder / "shop.csv"
    path.write_bytes("\n".join([header, *lines, ""]).encode())
    return path


def load_one(tmp_path, data, name="picture", **options):
    """Return what load_catalogue makes of the bytes of one picture file."""
    (tmp_path / name).write_bytes(data)
    (tmp_path / "one.csv").write_text(f"image,text\n{name},a picture\n")
    return cm.load_catalogue(tmp_path / "one.csv", **options).images[0]


# --- pictures of every kind ---------------------------------------------------------------------


def sixteen_bits(array):
    """Return grey values from 0 to 255 as a picture of 16 bits."""
    return Image.fromarray(array.astype(np.uint16) * 257)


def with_alpha(mode):
    """Return the photo with its left half clear, and how it should look."""
    array = photo() if mode == "RGBA" else np.asarray(PHOTO.convert("L"))[..., None]
    alpha = np.full((SIDE, SIDE, 1), 255, dtype=np.uint8)
    alpha[:, : SIDE // 2] = 0
    seen = np.array(Image.fromarray(array.squeeze()).convert("RGB"))
    seen[:, : SIDE // 2] = 255
    return Image.fromarray(np.concatenate([array, alpha], axis=2), mode), seen


GREY = np.asarray(PHOTO.convert("L"))
GREY_RGB = np.repeat(GREY[..., None], 3, axis=2)
PALETTE = PHOTO.quantize(256)
BILEVEL = PHOTO.convert("1")
KINDS = {
    "RGB PNG": (lambda: encoded("PNG"), photo(), 0),
    "RGB PNG, interlaced or not": (lambda: encoded("PNG", optimize=True), photo(), 0),
    "RGB BMP": (lambda: encoded("BMP"), photo(), 0),
    "RGB TIFF": (lambda: encoded("TIFF"), photo(), 0),
    "RGB TIFF, LZW": (lambda: encoded("TIFF", compression="tiff_lzw"), photo(), 0),
    "RGB PPM": (lambda: encoded("PPM"), photo(), 0),
    "RGB TGA": (lambda: encoded("TGA"), photo(), 0),
    "RGB JPEG": (lambda: encoded("JPEG", quality=95), photo(), 4),
    "RGB JPEG, progressive": (lambda: encoded("JPEG", progressive=True), photo(), 5),
    "RGB JPEG, large": (
        lambda: encoded("JPEG", Image.fromarray(photo(900)), quality=95),
        photo(),
        5,
    ),
    "RGB JPEG, long": (
        lambda: encoded("JPEG", Image.new("RGB", (3000, 90), (9, 99, 199))),
        np.full((SIDE, SIDE, 3), (9, 99, 199), dtype=np.uint8),
        5,
    ),
    "L PNG": (lambda: encoded("PNG", PHOTO.convert("L")), GREY_RGB, 0),
    "L JPEG": (lambda: encoded("JPEG", PHOTO.convert("L"), quality=95), GREY_RGB, 3),
    "1 PNG": (lambda: encoded("PNG", BILEVEL), np.asarray(BILEVEL.convert("RGB")), 0),
    "1 TIFF": (
        lambda: encoded("TIFF", BILEVEL, compression="group4"),
        np.asarray(BILEVEL.convert("RGB")),
        0,
    ),
    "P PNG": (lambda: encoded("PNG", PALETTE), np.asarray(PALETTE.convert("RGB")), 0),
    "P GIF": (lambda: encoded("GIF", PALETTE), np.asarray(PALETTE.convert("RGB")), 0),
    "P GIF, animated": (
        lambda: encoded("GIF", PALETTE, save_all=True, append_images=[Image.new("L", (40, 40))]),
        np.asarray(PALETTE.convert("RGB")),
        0,
    ),
    "RGB PNG, animated": (
        lambda: encoded("PNG", save_all=True, append_images=[Image.new("RGB", (40, 40))]),
        photo(),
        0,
    ),
    "TIFF of two pages": (
        lambda: encoded("TIFF", save_all=True, append_images=[Image.new("RGB", (9, 9))]),
        photo(),
        0,
    ),
    "RGBA PNG": (lambda: encoded("PNG", with_alpha("RGBA")[0]), with_alpha("RGBA")[1], 1),
    "LA PNG": (lambda: encoded("PNG", with_alpha("LA")[0]), with_alpha("LA")[1], 1),
    "P PNG, one clear colour": (
        lambda: encoded("PNG", Image.new("P", (9, 9), 0), transparency=0),
        np.full((SIDE, SIDE, 3), 255, dtype=np.uint8),
        0,
    ),
    "L PNG, one clear grey": (
        lambda: encoded("PNG", Image.new("L", (9, 9), 7), transparency=7),
        np.full((SIDE, SIDE, 3), 255, dtype=np.uint8),
        0,
    ),
    "CMYK JPEG": (lambda: encoded("JPEG", PHOTO.convert("CMYK"), quality=95), photo(), 8),
    "CMYK TIFF": (lambda: encoded("TIFF", PHOTO.convert("CMYK")), photo(), 1),
    "16 bits PNG": (lambda: encoded("PNG", sixteen_bits(GREY)), GREY_RGB, 1),
    "16 bits TIFF": (lambda: encoded("TIFF", sixteen_bits(GREY)), GREY_RGB, 1),
    "32 bits TIFF": (
        lambda: encoded("TIFF", Image.fromarray(GREY.astype(np.int32) * 257)),
        GREY_RGB,
        1,
    ),
    "float TIFF, to 255": (
        lambda: encoded("TIFF", Image.fromarray(GREY.astype(np.float32))),
        GREY_RGB,
        1,
    ),
    "float TIFF, to 1": (
        lambda: encoded("TIFF", Image.fromarray(GREY.astype(np.float32) / 255)),
        GREY_RGB,
        1,
    ),
    "ICO": (lambda: encoded("ICO", sizes=[(SIDE, SIDE)]), photo(), 0),
    "WebP": (lambda: encoded("WEBP", lossless=True), photo(), 0),
    "JPEG 2000": (lambda: encoded("JPEG2000"), photo(), 1),
}
NEEDS = {"WebP": "webp", "JPEG 2000": "jpg_2000", "1 TIFF": "libtiff", "RGB TIFF, LZW": "libtiff"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_comes_right(tmp_path, kind):
    if kind in NEEDS and not features.check(NEEDS[kind]):
        pytest.skip(f"this Pillow cannot write {kind}")
    make, expected, tolerance = KINDS[kind]
    image = load_one(tmp_path, make(), size=SIDE)
    assert image.shape == (SIDE, SIDE, 3) and image.dtype == np.uint8
    assert np.abs(image.astype(float) - expected).mean() <= tolerance


# How an upright picture U is stored under each EXIF orientation (CIPA DC-008, tag 0x0112).
STORED = {
    1: lambda U: U,
    2: lambda U: U[:, ::-1],
    3: lambda U: U[::-1, ::-1],
    4: lambda U: U[::-1],
    5: lambda U: U.swapaxes(0, 1),
    6: lambda U: np.rot90(U),
    7: lambda U: U[::-1, ::-1].swapaxes(0, 1),
    8: lambda U: np.rot90(U, -1),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
def test_cameras_that_were_turned(tmp_path, format, orientation):
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](photo())))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {0x0112: orientation}} if format == "TIFF" else {"exif": exif}
    image = load_one(tmp_path, encoded(format, stored, **options), size=SIDE)
    assert np.abs(image.astype(float) - photo()).mean() < (5 if format == "JPEG" else 0.01)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "I;16"])
def test_turned_pictures_of_other_modes(tmp_path, mode):
    picture = sixteen_bits(GREY) if mode == "I;16" else PHOTO.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 3
    turned = encoded("PNG", picture.transpose(Image.Transpose.ROTATE_180), exif=exif)
    upright, image = (load_one(tmp_path, x, size=SIDE) for x in (encoded("PNG", picture), turned))
    assert np.array_equal(image, upright)


def test_pictures_are_what_as_photos_makes_of_them(tmp_path):
    wide = Image.fromarray(photo(90)[:30])
    assert np.array_equal(load_one(tmp_path, encoded(image=wide)), cm.as_photos([wide], 64)[0])


# --- damaged rows -------------------------------------------------------------------------------


def png_chunk(kind, data):
    """Return one chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width, height, *chunks):
    """Return a PNG file that claims to be this large."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = png_chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + body + png_chunk(b"IEND", b"")


def flipped(data, place):
    """Return bytes with one of them changed."""
    place %= len(data)
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


def zipped():
    """Return the bytes of a zip archive."""
    with zipfile.ZipFile(file := io.BytesIO(), "w") as archive:
        archive.writestr("picture.png", encoded())
    return file.getvalue()


def float_tiff(value):
    """Return a TIFF file of floats, one of them this value."""
    grey = GREY.astype(np.float32)
    grey[3, 3] = value
    return encoded("TIFF", Image.fromarray(grey))


JPEG = encoded("JPEG")
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\n{ } loop\n%%EOF\n"
UNREAD = "not a picture that can be read"
BROKEN_FILES = {
    "empty": (b"", UNREAD),
    "one byte": (b"\x89", UNREAD),
    "truncated PNG": (encoded()[:-200], UNREAD),
    "PNG cut in its header": (encoded()[:20], UNREAD),
    "PNG signature only": (encoded()[:8], UNREAD),
    "PNG with a wrong checksum": (flipped(encoded(), 30), UNREAD),
    "PNG with broken data": (flipped(encoded(), 60), UNREAD),
    "PNG of no width": (png_of(0, 5), UNREAD),
    "PNG with too little data": (png_of(500, 500), UNREAD),
    "truncated JPEG": (encoded("JPEG")[:-300], UNREAD),
    "JPEG without data": (JPEG[: JPEG.index(b"\xff\xda") + 14], UNREAD),
    "JPEG cut in its header": (encoded("JPEG")[:30], UNREAD),
    "truncated GIF": (encoded("GIF")[:-700], UNREAD),
    "GIF cut in its header": (encoded("GIF")[:9], UNREAD),
    "truncated BMP": (encoded("BMP")[:-700], UNREAD),
    "truncated TIFF": (encoded("TIFF")[:-700], UNREAD),
    "TIFF cut in its header": (encoded("TIFF")[:6], UNREAD),
    "truncated PPM": (encoded("PPM")[:-700], UNREAD),
    "truncated TGA": (encoded("TGA")[:-700], UNREAD),
    "text": (b"this is no picture\n" * 50, UNREAD),
    "web page": (b"<!DOCTYPE html><title>404 Not Found</title>", UNREAD),
    "JSON": (b'{"error": "not found"}', UNREAD),
    "vector graphics": (b'<svg xmlns="http://www.w3.org/2000/svg"></svg>', UNREAD),
    "PDF": (b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n", UNREAD),
    "Git LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", UNREAD),
    "zip archive": (zipped(), UNREAD),
    "gzipped PNG": (gzip.compress(encoded()), UNREAD),
    "NumPy array": (b"\x93NUMPY\x01\x00" + b" " * 100, UNREAD),
    "zero bytes": (bytes(5000), UNREAD),
    "random bytes": (np.random.default_rng(0).bytes(5000), UNREAD),
    "PostScript": (EPS, UNREAD),
    "PNG of 100 million pixels": (png_of(10_000, 10_000), UNREAD),
    "PNG of 400 million pixels": (png_of(20_000, 20_000), UNREAD),
    "PNG of 4 billion pixels": (png_of(2**16, 2**16), UNREAD),
    "GIF of 4 billion pixels": (b"GIF89a\xff\xff\xff\xff" + encoded("GIF")[10:], UNREAD),
    "BMP of 400 million pixels": (
        encoded("BMP")[:18] + struct.pack("<ii", 20_000, 20_000) + encoded("BMP")[26:],
        UNREAD,
    ),
    "PNG whose comment is a bomb": (
        png_of(5, 5, png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(10**8)))),
        None,
    ),
    "NaN among floats": (float_tiff(np.nan), UNREAD),
    "infinity among floats": (float_tiff(np.inf), UNREAD),
}


def check_row(path, capsys, told, *, line=4, n_rows=3):
    """Check that a row is named by its line and reason, or skipped and counted."""
    with pytest.raises(ValueError) as error:
        cm.load_catalogue(path)
    head, *lines = str(error.value).splitlines()
    kind = told.partition(":")[0]
    assert head.startswith(f"shop.csv: 1 of {n_rows} rows are bad (1 {kind}); mend")
    assert len(lines) == 1 and lines[0].startswith(f"  line {line}: {told}"), lines
    assert str(path.parent) not in lines[0] and len(lines[0]) < 330 and "\0" not in lines[0]
    capsys.readouterr()
    catalogue = cm.load_catalogue(path, on_error="skip")
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out.splitlines()[0] == f"1 of {n_rows} rows skipped (1 {kind})"
    assert len(catalogue) == 2 and catalogue.texts == ["a red mug", "a blue mug"]
    assert catalogue.skipped == [(f"line {line}", lines[0].partition(": ")[2])]
    assert (catalogue.images == cm.as_photos([PHOTO], 64)).all()


@pytest.mark.parametrize("damage", BROKEN_FILES)
def test_broken_picture_files_are_named(tmp_path, capsys, damage):
    data, told = BROKEN_FILES[damage]
    path = shop(tmp_path / "shop", ("odd.png", "a mug"))
    (tmp_path / "shop" / "odd.png").write_bytes(data)
    if told is None:  # Pillow's versions differ: one refuses it whole, another leaves the bomb out
        with contextlib.suppress(ValueError):
            cm.load_catalogue(path)
        return
    check_row(path, capsys, f"{told}: 'odd.png'")


WEB = "a web address, to be downloaded first"
BAD_PATHS = {
    "no-such.png": "no such file",
    "good.png/inner.png": "no such file",
    "GOOD.PNG.": "no such file",
    "C:\\pictures\\mug.png": "no such file",
    "~/mug.png": "no such file",
    "$HOME/mug.png": "no such file",
    "*.png": "no such file",
    ".": "a folder, not a file",
    "inner": "a folder, not a file",
    "..": "a folder, not a file",
    "/": "a folder, not a file",
    "link-nowhere.png": "no such file",
    "link-round.png": None,
    "pipe.png": "no such file",
    "http://example.org/mug.png": WEB,
    "HTTPS://example.org/mug.png": WEB,
    "ftp://example.org/mug.png": WEB,
    "s3://bucket/mug.png": WEB,
    "file:///etc/passwd": WEB,
    "//cdn.example.org/mug.png": WEB,
    "www.example.org/mug.png": WEB,
    '["http://example.org/mug.png"]': WEB,
    "a.png|b.png": "no such file: 'a.png|b.png' (several pictures in one field?",
    "GOOD.PNG": "no such file: 'GOOD.PNG' (there is 'good.png')",
    "good": "no such file: 'good' (there is 'good.png')",
    "g%6Fod.png": "no such file: 'g%6Fod.png' (there is 'good.png')",
    "good.png.0": "no such file: 'good.png.0' (there is 'good.png')",
    "data:image/png;base64,iVBORw0KGgo=": WEB,
    "": "no image",
    "   ": "no image",
    "nan": "no image",
    "NaN": "no image",
    "NULL": "no image",
    "nul\0.png": "no such file",
    "x" * 5000 + ".png": "no such file",
    "x/" * 3000 + "x.png": "no such file",
}


@pytest.mark.parametrize("name", BAD_PATHS, ids=lambda name: ascii(name)[:30])
def test_bad_paths_are_named(tmp_path, capsys, name):
    folder, told = tmp_path / "shop", BAD_PATHS[name]
    (tmp_path / "outside.png").write_bytes(encoded())
    written = str(tmp_path / "outside.png") if name == "ABSOLUTE" else name
    path = shop(folder, (written, "a mug"))
    (folder / "inner").mkdir()
    if name.startswith("GOOD") and os.path.exists(folder / name):
        pytest.skip("on this system it is good.png")
    if name.startswith("link"):
        links = {
            "link-out.png": "../outside.png",
            "link-folder": "..",
            "link-nowhere.png": "gone.png",
            "link-round.png": "link-round.png",
        }
        for link, target in links.items():
            (folder / link).symlink_to(target)
    if name == "pipe.png":
        if not hasattr(os, "mkfifo"):
            pytest.skip("no pipes on this system")
        os.mkfifo(folder / name)
    if told is None:  # Python's versions differ in what they say of a link to itself
        assert cm.load_catalogue(path, on_error="skip").skipped[0][0] == "line 4"
        return
    check_row(path, capsys, told, line=4)


@pytest.mark.parametrize(
    "text",
    ["", " ", "\t", "\xa0", "\u3000", "nan", "NaN", " NaN ", "None", "null", "NULL", "N/A"]
    + ["NA", "<NA>", "#N/A", "\\N"],
    ids=ascii,
)
def test_texts_that_stand_for_none_are_named(tmp_path, capsys, text):
    check_row(shop(tmp_path, ("good.png", text)), capsys, f"no text: {text!r}")


@pytest.mark.parametrize(
    "line, told",
    [
        ("good.png", "wrong number of fields: 1, the header has 2"),
        ("good.png,a mug,", "wrong number of fields: 3, the header has 2"),
        ("good.png,a mug, blue, large", "wrong number of fields: 4, the header has 2"),
        ("good.png;a mug", "wrong number of fields: 1, the header has 2"),
        (" ", "wrong number of fields: 1, the header has 2"),
        ("good.png,a\0mug", "no text: 'a\\x00mug'"),
        (",", "no text: ''"),
    ],
)
def test_bad_lines_are_named(tmp_path, capsys, line, told):
    path = shop(tmp_path, line)
    with pytest.raises(ValueError, match="1 of 3 rows are bad") as error:
        cm.load_catalogue(path)
    assert str(error.value).endswith(f"line 4: {told}")
    assert cm.load_catalogue(path, on_error="skip").skipped == [("line 4", told)]


def test_a_file_that_may_not_be_read_is_named(tmp_path, capsys, monkeypatch):
    path = shop(tmp_path, ("locked.png", "a mug"))
    (tmp_path / "locked.png").write_bytes(encoded())
    real = Image.open

    def locked(path, *args):  # chmod would not stop a test that root runs
        if path.name == "locked.png":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args)

    monkeypatch.setattr(Image, "open", locked)
    check_row(path, capsys, "not a picture that can be read: 'locked.png' (Permission denied)")


def test_a_folder_that_may_not_be_read_is_no_traceback(tmp_path, monkeypatch):
    def locked(folder):  # chmod would not stop a test that root runs
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(pathlib.Path, "iterdir", locked)
    table = {"image": ["gone.png", PHOTO], "text": ["a", "b"]}
    catalogue = cm.load_catalogue(table, folder=tmp_path, on_error="skip")
    assert catalogue.skipped == [("row 0", "no such file: 'gone.png'")]


def test_postscript_is_never_run(tmp_path, monkeypatch):
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("it was run"))
    with pytest.raises(ValueError, match=r"'picture' \(an EPS file, save it as PNG\)"):
        load_one(tmp_path, EPS)


def test_a_quote_that_swallows_rows_is_named_and_lines_are_counted_as_an_editor_does(tmp_path):
    rows = [
        "",
        'good.png,"little mug',
        "good.png,a cup",
        'good.png,a plate of 12"',
        "",
        "gone.png,b",
    ]
    path = shop(tmp_path, *rows)
    with pytest.raises(ValueError, match="2 of 6 rows") as error:
        cm.load_catalogue(path)
    lines = str(error.value).splitlines()[1:]
    assert lines[0].startswith("  line 5: cannot be read: unexpected end of data")
    assert lines[1].startswith("  line 9: no such file")
    catalogue = cm.load_catalogue(path, on_error="skip")  # no other row is lost
    assert catalogue.texts[2:] == ["a cup", 'a plate of 12"']


def test_many_bad_rows_are_listed_up_to_twenty(tmp_path, capsys):
    rows = [(f"gone{i}.png", "a mug") for i in range(45)] + [("good.png", "")] * 5
    path = shop(tmp_path, *rows)
    with pytest.raises(
        ValueError, match=r"50 of 52 rows are bad \(45 no such file, 5 no text\)"
    ) as error:
        cm.load_catalogue(path)
    lines = str(error.value).splitlines()
    assert len(lines) == 22 and lines[-1] == "  and 30 more"
    assert lines[1] == "  line 4: no such file: 'gone0.png'"
    catalogue = cm.load_catalogue(path, on_error="skip")
    told = "50 of 52 rows skipped (45 no such file, 5 no text)\n"
    assert capsys.readouterr().out.startswith(told)
    assert len(catalogue) == 2 and len(catalogue.skipped) == 50


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_no_good_row_is_an_error(tmp_path, on_error):
    path = shop(tmp_path)
    (tmp_path / "good.png").unlink()
    with pytest.raises(ValueError, match="2 of 2 rows are bad .*no row is good"):
        cm.load_catalogue(path, on_error=on_error)


def test_every_small_change_to_a_file_is_survived(tmp_path, recwarn):
    rng = np.random.default_rng(0)
    files = [encoded(f) for f in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM", "TGA", "ICO")]
    files += [encoded("TIFF", compression="tiff_lzw"), encoded("PNG", PALETTE)]
    rows = []
    for i in range(300):
        data = bytearray(files[i % len(files)])
        for place in rng.integers(0, len(data), rng.integers(1, 5)):
            data[place] = rng.integers(0, 256)
        if i % 3 == 0:
            data = data[: rng.integers(len(data))]
        (tmp_path / f"{i}.png").write_bytes(data)
        rows.append((f"{i}.png", "a mug"))
    catalogue = cm.load_catalogue(shop(tmp_path, *rows), on_error="skip", size=16)
    assert len(catalogue) + len(catalogue.skipped) == 302
    assert len(catalogue) > 50 and len(catalogue.skipped) > 50 and not recwarn.list


# --- damaged CSV files --------------------------------------------------------------------------

GOOD = "good.png,a mug\n" * 2
NOT_UTF8 = "no CSV file in UTF-8; save it so, or by pandas.*encoding="
BROKEN_CSV = {
    "empty": (b"", "is no CSV file with a header and rows"),
    "Excel's mark only": (b"\xef\xbb\xbf", "is no CSV file with a header and rows"),
    "blank lines only": (b"\n\r\n\n", "is no CSV file with a header and rows"),
    "header only": (b"image,text\n", "is no CSV file with a header and rows"),
    "header and blank lines": (b"image,text\n\n\n", "is no CSV file with a header and rows"),
    "no image column": (b"picture,text\n" + GOOD.encode(), r"no column 'image', it has \['pict"),
    "no text column": (b"image,title\n" + GOOD.encode(), r"no column 'text', it has \['image'"),
    "capitals": (b"Image,Text\n" + GOOD.encode(), r"no column 'image', it has \['Image'"),
    "no header": (GOOD.encode(), r"it has \['good.png', 'a mug'\]; pass image_column"),
    "semicolons": (b"image;text\ngood.png;a mug\n", r"\['image;text'\].*pandas.read_csv"),
    "two image columns": (b"image,text,image\na,b,c\n", "columns of one name"),
    "two other columns": (b"image,text,x, x\na,b,c,d\n", "columns of one name"),
    "Latin-1": (
        "image,text\ngood.png,a mug\ngood.png,caf\xe9\n".encode("latin-1"),
        NOT_UTF8,
    ),
    "Latin-1 behind Excel's mark": (
        b"\xef\xbb\xbfimage,text\ngood.png,caf\xe9\n",
        NOT_UTF8,
    ),
    "UTF-16": (("image,text\n" + GOOD).encode("utf-16"), NOT_UTF8),
    "UTF-16 unmarked": (("image,text\n" + GOOD).encode("utf-16-le"), r"it has \['i\\x00m"),
    "open quote": (b'image,text\ngood.png,"a mug\n', "line 2: cannot be read: unexpected end"),
    "open quote in the header": (
        b'image,"text\ngood.png,a mug\n',
        "unexpected end of data in 'image,\"text'",
    ),
    "endless header": (
        b"image,text," + b"x" * 200_000 + b"\na,b,c\n",
        "field larger than .* in 'image,text,x",
    ),
    "text behind a quote": (
        b'image,text\ngood.png,"a" mug\n',
        "line 2: cannot be read: ',' expected",
    ),
    "endless field": (b"image,text\ngood.png," + b"x" * 200_000, "line 2: .*field larger than"),
    "a picture": (encoded(), NOT_UTF8),
    "gzipped": (gzip.compress(GOOD.encode()), NOT_UTF8),
    "zero bytes": (bytes(500), "is no CSV file with a header and rows"),
}


@pytest.mark.parametrize("on_error", ["raise", "skip"])
@pytest.mark.parametrize("damage", BROKEN_CSV)
def test_a_broken_csv_file_is_refused_whatever_on_error_says(tmp_path, damage, on_error):
    data, told = BROKEN_CSV[damage]
    path = shop(tmp_path)
    path.write_bytes(data)
    with pytest.raises(ValueError, match=f"(?s){told}") as error:
        cm.load_catalogue(path, on_error=on_error)
    assert str(error.value).startswith("shop.csv")
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    "options, error, told",
    [
        (
            {"on_error": "ignore"},
            ValueError,
            'on_error must be "raise" or "skip"; \'ignore\' came',
        ),
        ({"on_error": None}, ValueError, "None came"),
        ({"size": 0}, ValueError, "size == 0, must be >= 16"),
        ({"size": "64"}, TypeError, "size must be an instance of int"),
        ({"image_column": "photo"}, ValueError, "no column 'photo'"),
        ({"text_column": "title"}, ValueError, "no column 'title'"),
        ({"group_column": "sku"}, ValueError, "no column 'sku'"),
    ],
)
def test_bad_options_are_named(tmp_path, options, error, told):
    with pytest.raises(error, match=told):
        cm.load_catalogue(shop(tmp_path), **options)


def test_a_missing_csv_file_and_a_folder_raise_what_open_raises(tmp_path):
    with pytest.raises(FileNotFoundError):
        cm.load_catalogue(tmp_path / "gone.csv")
    with pytest.raises(OSError):
        cm.load_catalogue(tmp_path)


# --- odd, and right -----------------------------------------------------------------------------

ODD_CSV = {
    "Excel's mark": (b"\xef\xbb\xbfimage,text\ngood.png,a mug\n", {}),
    "Windows lines": (b"image,text\r\ngood.png,a mug\r\n", {}),
    "old Macintosh lines": (b"image,text\rgood.png,a mug\r", {}),
    "no last line break": (b"image,text\ngood.png,a mug", {}),
    "blank lines": (b"\n\nimage,text\n\ngood.png,a mug\n\n\n", {}),
    "spaces": (b" image , text \n good.png ,  a mug  \n", {}),
    "everything quoted": (b'"image","text"\n"good.png","a mug"\n', {}),
    "columns the other way": (b"text,image\na mug,good.png\n", {}),
    "Excel's line on separators": (b"sep=,\nimage,text\ngood.png,a mug\n", {}),
    "columns without names": (b"image,text,,\ngood.png,a mug,x,y\n", {}),
    "an index column": (b",image,text\n0,good.png,a mug\n", {}),
    "other names": (b"a,b\ngood.png,a mug\n", {"image_column": "a", "text_column": "b"}),
}


@pytest.mark.parametrize("kind", ODD_CSV)
def test_odd_csv_files_are_read(tmp_path, kind):
    data, options = ODD_CSV[kind]
    path = shop(tmp_path)
    path.write_bytes(data)
    catalogue = cm.load_catalogue(str(path), **options)
    assert catalogue.texts == ["a mug"] and catalogue.skipped == []
    assert list(catalogue.attributes) == [options.get("image_column", "image")]


@pytest.mark.parametrize(
    "name",
    [
        "./good.png",
        "good.png/",
        "inner/../good.png",
        "inner/GOOD.JPG",
        "inner\\GOOD.JPG",
        "caf\xe9 \U0001f375",
    ]
    + ["no ending", "inside.png", "INSIDE", " good.png "],
    ids=ascii,
)
def test_odd_paths_inside_the_folder_are_read(tmp_path, name):
    written = str(tmp_path / "good.png") if name == "INSIDE" else name
    path = shop(tmp_path, (written, "a mug"))
    (tmp_path / "inner").mkdir()
    (tmp_path / "inside.png").symlink_to("good.png")
    for file in ("inner/GOOD.JPG", "caf\xe9 \U0001f375", "no ending"):
        (tmp_path / file).write_bytes(encoded())
    assert len(cm.load_catalogue(path)) == 3


@pytest.mark.parametrize(
    "text",
    ["0", "x", "nana", "nan bread", "a, b", 'a 5" mug', "caf\xe9", "\u8336\u676f", "\U0001f375"]
    + ["word " * 20_000],
    ids=lambda text: ascii(text)[:20],
)
def test_odd_texts_are_kept(tmp_path, text):
    assert cm.load_catalogue(shop(tmp_path, ("good.png", text))).texts[2] == text.strip()


def test_a_row_that_looks_like_excels_line_is_a_row(tmp_path):
    path = shop(tmp_path)
    path.write_text("text,image\na mug,good.png\nsep=,good.png\n")
    assert cm.load_catalogue(path).texts == ["a mug", "sep="]


@pytest.mark.parametrize("data", [encoded() + b"tail", encoded("JPEG") + b"tail" * 100])
def test_what_stands_behind_a_picture_does_not_matter(tmp_path, data):
    assert np.abs(load_one(tmp_path, data, size=SIDE).astype(float) - photo()).mean() < 5


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (3, 2), (2500, 2500)])
def test_pictures_of_any_size(tmp_path, size):
    picture = encoded(image=Image.new("RGB", size, (10, 120, 200)))
    assert (load_one(tmp_path, picture) == (10, 120, 200)).all()


def test_the_same_picture_and_the_same_text_twice(tmp_path):
    catalogue = cm.load_catalogue(shop(tmp_path, ("good.png", "a red mug")))
    assert catalogue.texts == ["a red mug", "a blue mug", "a red mug"]
    assert np.array_equal(catalogue.images[0], catalogue.images[2])


def many(folder, n=20):
    """Write n different pictures; return their names."""
    folder.mkdir()
    for i in range(n):
        Image.fromarray(np.full((20, 20, 3), 9 * i, np.uint8)).save(folder / f"{i}.png")
    return [f"{i}.png" for i in range(n)]


def test_groups_are_read_from_a_column_and_found_by_pixels(tmp_path):
    names = many(tmp_path / "a")
    (tmp_path / "a" / "copy.png").write_bytes((tmp_path / "a" / "3.png").read_bytes())
    skus = ["A", "A", "", None, " A ", float("nan"), *map(str, range(6, 20)), "Z"]
    table = {"image": [*names, "copy.png"], "text": ["a mug"] * 21, "sku": skus}
    catalogue = cm.load_catalogue(table, folder=tmp_path / "a", group_column="sku")
    own = catalogue.groups
    assert own[0] == own[1] == own[4] and own[3] == own[20]
    assert len(set(own.tolist())) == 21 - 2 - 1
    assert catalogue.attributes["sku"].tolist()[:3] == ["A", "A", ""]


def test_five_captions_of_a_picture_never_part(tmp_path, capsys):
    names = np.repeat(many(tmp_path / "a"), 5).tolist()
    table = {"image": names, "caption": [f"caption {i}" for i in range(100)]}
    catalogue = cm.load_catalogue(table, folder=tmp_path / "a", text_column="caption")
    assert "100 rows are 20 items" in capsys.readouterr().out
    parts = catalogue.split(validation=20, test=20, random_state=0)
    assert [len(part) for part in parts] == [60, 20, 20]
    pictures = [set(part.attributes["image"]) for part in parts]
    assert len(set.union(*pictures)) == sum(map(len, pictures)) == 20


def test_a_split_keeps_larger_groups_whole_and_says_what_does_not_fit(tmp_path, capsys):
    names = many(tmp_path / "a")
    table = {"image": names, "text": ["a mug"] * 20}
    catalogue = cm.load_catalogue(table, folder=tmp_path / "a")
    blocks = np.arange(20) // 5
    parts = catalogue.split(validation=5, test=7, random_state=0, groups=blocks)
    assert [len(part) for part in parts] == [10, 5, 5]
    assert "'test': 2" in capsys.readouterr().out
    with pytest.raises(ValueError, match="cannot be cut"):
        catalogue.split(validation=0, test=4, random_state=0, groups=blocks)


def test_any_mapping_of_columns_is_a_table(tmp_path):
    names = many(tmp_path / "a", 3)
    table = {"image": names, "text": list("abc"), "price": [1.5, 2, None]}
    frames = [table]
    with contextlib.suppress(ImportError):
        import pandas

        frames.append(pandas.DataFrame(table))
    for frame in frames:
        catalogue = cm.load_catalogue(frame, folder=tmp_path / "a")
        assert catalogue.texts == ["a", "b", "c"] and catalogue.images[2].max() == 18
        assert catalogue.attributes["price"][0] == 1.5

    class Frame:  # as Polars has it: columns, and no keys
        columns = list(table)
        __getitem__ = staticmethod(table.__getitem__)

    assert cm.load_catalogue(Frame(), folder=tmp_path / "a").texts == ["a", "b", "c"]
    whole = {"image": [np.asarray(PHOTO), PHOTO, tmp_path / "a" / "1.png"], "text": ["a"] * 3}
    assert np.array_equal(*cm.load_catalogue(whole).images[:2])
    for bad, told in (({"image": [1], "text": []}, "of one length"), ({}, "mapping of columns")):
        with pytest.raises((TypeError, ValueError), match=told):
            cm.load_catalogue(bad)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii"])
def test_any_console_can_show_what_was_skipped(tmp_path, monkeypatch, encoding):
    shop(tmp_path, ("gone.png", "b")).rename(tmp_path / "\u4ea7\u54c1.csv")
    console = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", console)
    assert len(cm.load_catalogue(tmp_path / "\u4ea7\u54c1.csv", on_error="skip")) == 2
    console.flush()
    assert console.buffer.getvalue().decode(encoding).startswith("1 of 3 rows skipped")


def test_pixels_of_other_depths_are_scaled_by_their_range_or_named():
    ramp = np.linspace(0, 255, 64)[None].repeat(64, axis=0)
    for scale, kind in ((257, np.uint16), (16, np.uint16), (1, np.uint16), (1 / 255, np.float32)):
        image = Image.fromarray((ramp * scale).astype(kind))
        found = cm.as_photos([image], 64)[0]
        assert found.min() == 0 and found.max() >= 254 and 126 < found.mean() < 129
    for low, high in ((0, 1000), (-1, 1), (0, 65535)):
        image = Image.fromarray(np.linspace(low, high, 64, dtype=np.float32)[None])
        with pytest.raises(ValueError, match="of no known range"):
            cm.as_photos([image], 64)


def test_a_query_is_turned_upright_as_a_catalogue_is(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = PHOTO.transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "turned.png", exif=exif)
    for query in (tmp_path / "turned.png", Image.open(tmp_path / "turned.png")):
        assert np.array_equal(cm.as_photos([query], 64), cm.as_photos([PHOTO], 64))


def test_stacks_of_grey_pictures_are_read_as_lists_of_them_are():
    grey = np.random.default_rng(0).integers(0, 255, (5, 28, 28), dtype=np.uint8)
    for stack in (grey, grey[..., None]):
        assert np.array_equal(cm.as_photos(stack, 64), cm.as_photos(list(grey), 64))


def test_one_long_value_does_not_make_every_row_long(tmp_path):
    lines = [f"good.png,mug,{'x' * (100_000 if i == 7 else 1)}" for i in range(500)]
    path = shop(tmp_path)
    path.write_text("\n".join(["image,text,note", *lines]))
    assert cm.load_catalogue(path, size=16).attributes["note"].nbytes < 10_000


# --- state, memory, progress --------------------------------------------------------------------


def test_global_state_is_left_as_it_was(tmp_path):
    path = shop(tmp_path, ("bomb.png", "a mug"))
    (tmp_path / "bomb.png").write_bytes(png_of(10_000, 10_000))
    state = (Image.MAX_IMAGE_PIXELS, list(warnings.filters), TiffImagePlugin.READ_LIBTIFF)
    with contextlib.suppress(ValueError):
        cm.load_catalogue(path)
    after = (Image.MAX_IMAGE_PIXELS, list(warnings.filters), TiffImagePlugin.READ_LIBTIFF)
    assert state == after


def test_a_limit_that_the_caller_set_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match="exceeds limit of 1000"):
        cm.load_catalogue(shop(tmp_path))


def test_one_picture_is_held_at_a_time(tmp_path, monkeypatch):
    real, alive = cm._open, []

    def opened(path, size):
        assert all(reference() is None for reference in alive)
        alive.append(weakref.ref(image := real(path, size)))
        return image

    monkeypatch.setattr(cm, "_open", opened)
    cm.load_catalogue(shop(tmp_path, *[("good.png", "a mug")] * 10))
    assert len(alive) == 12


def test_long_loads_show_progress_and_short_ones_print_nothing(tmp_path, capsys):
    cm.load_catalogue({"image": [PHOTO], "text": ["a mug"]})
    assert capsys.readouterr().out == ""
    cm.load_catalogue(shop(tmp_path, *["good.png,a mug"] * 2500), size=16)
    assert capsys.readouterr().out.startswith("2,000 of 2,502 rows read\n")


def test_nothing_in_the_folder_is_changed(tmp_path):
    path = shop(tmp_path, ("gone.png", "a mug"))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    cm.load_catalogue(path, on_error="skip")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
