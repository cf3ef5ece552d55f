"""Draw README.md's picture: photos never seen in training, and the descriptions that they find.

    python tests/readme_picture.py

They are the first products of the test set, one of each type, not chosen by hand. Rewrites the
picture, and its text for screen readers in README.md.
"""

import io
import re
import sys
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "notebooks"))
import course  # noqa: E402

PICTURE = "notebooks/course/diagrams/readme.png"
IN_README = re.compile(r"!\[([^\]]*)\]\(" + re.escape(PICTURE) + r"\)")


def found_by_photos(n_photos=3):
    """Return photos, what each finds among all descriptions of the test set, and whether right."""
    train, validation, test = course.shop()
    model = course.shop_model(train, validation)
    kinds = test.attributes["type"].tolist()
    chosen = sorted(kinds.index(kind) for kind in dict.fromkeys(kinds))[:n_photos]
    found = [texts[0] for texts in model.retrieve(test.images[chosen], test.texts)]
    is_right = [text == test.texts[i] for text, i in zip(found, chosen, strict=True)]
    return test.images[chosen], found, is_right, len(test)


def told(found, is_right, n_items):
    """Return the picture's text for screen readers."""
    lines = [
        f"photo {place} finds “{text}”, which {'is' if right else 'is not'} its own"
        for place, (text, right) in enumerate(zip(found, is_right, strict=True), 1)
    ]
    return (
        f"Photos of products, each beside the one of {n_items:,} descriptions that it finds: "
        + ("; ".join(lines) + ".")
    )


def draw(photos, found, is_right, n_items):
    """Return a figure with a row for each photo: the photo, an arrow, what it found."""
    fig, axes = plt.subplots(
        len(photos), 2, figsize=(9, 5.6), width_ratios=[1, 3.2], layout="constrained"
    )
    green, orange = course.PALETTE[2], course.PALETTE[1]
    for row, photo, text, right in zip(axes, photos, found, is_right, strict=True):
        course.photos([row[0]], [photo])
        row[1].axis("off")
        row[1].set(xlim=(0, 1), ylim=(0, 1))
        arrow = {"arrowstyle": "-|>", "lw": 2, "color": "#444444"}
        row[1].annotate("", (0.1, 0.5), (0, 0.5), arrowprops=arrow)
        words = textwrap.fill(text, 46)
        row[1].text(0.13, 0.5, words, va="center", fontsize=15)
        said = "its own description" if right else "another product's description"
        row[1].text(0.13, 0.04, said, fontsize=11, color=green if right else orange)
    fig.suptitle(f"Which of {n_items:,} descriptions belongs to this photo?", fontsize=16)
    return fig


def main():
    """Draw the picture and rewrite its text in README.md."""
    photos, found, is_right, n_items = found_by_photos()
    fig = draw(photos, found, is_right, n_items)
    buffer = io.BytesIO()
    fig.savefig(buffer, dpi=110, facecolor="white")
    Image.open(buffer).convert("RGB").quantize(256).save(ROOT / PICTURE, optimize=True)
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    new = IN_README.sub(lambda match: f"![{told(found, is_right, n_items)}]({PICTURE})", text)
    readme.write_text(new, encoding="utf-8", newline="\n")
    print(f"{(ROOT / PICTURE).stat().st_size:,} bytes\n{told(found, is_right, n_items)}")


if __name__ == "__main__":
    main()
