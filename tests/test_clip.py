"""Notebook 05's functions for CLIP and SigLIP, run on tiny models made from a configuration.

Nothing is downloaded. Needs torch with transformers, for SigLIP also sentencepiece, or open_clip.
"""

import ast
import json
import pathlib
import re

import numpy as np
import pytest
from PIL import Image

import crossmodal_utils as cm
import guards

torch = pytest.importorskip("torch", reason="CLIP needs: pip install torch transformers")
PATH = next(path for path in guards.NOTEBOOKS if path.name.startswith("05_"))
NAMES = "in_batches unit transformers_vectors open_clip_vectors by_sentence".split()
NAMES += "beside aligned_score per_item pictures_of".split()
SIDE = 32
TOWER = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2}
TOWER |= {"num_attention_heads": 2}
COLOURS, KINDS = "red green blue yellow black white".split(), "mug boot hat shirt".split()
TEXTS = [f"a {colour} {kind} with dots" for colour in COLOURS for kind in KINDS]


@pytest.fixture(scope="module")
def sources():
    return [cell["source"] for _, cell in guards.cells(guards.load_committed(PATH), "code")]


@pytest.fixture
def page(sources, photos):
    """Return the notebook's functions, and what its cells before them leave behind."""
    scope = {"np": np, "cm": cm, "Image": Image, "re": re, "pathlib": pathlib}
    for source in sources:
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef) and node.name in NAMES:
                exec(ast.get_source_segment(source, node), scope)
    assert set(NAMES) <= set(scope)
    images = np.stack([np.asarray(Image.open(path)) for path in photos])
    catalogue = cm.Catalogue(images, TEXTS, {"image": np.array([str(p) for p in photos])})
    scope |= {"few": catalogue[::2], "test": catalogue[1::2], "folder": photos[0].parent}
    scope["columns"] = {"image_column": "image"}
    return scope


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Return the paths of a photo for each text."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    paths = [folder / f"{i}.png" for i in range(len(TEXTS))]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    return paths


def save_clip(tf, folder):
    """Write a tiny CLIP with letters for tokens."""
    letters = [chr(code) for code in range(33, 127)]
    names = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    tokens = {name: i for i, name in enumerate(names)}
    text = {**TOWER, "vocab_size": len(names), "eos_token_id": len(names) - 1}
    vision = {**TOWER, "image_size": SIDE, "patch_size": 8}
    model = tf.CLIPModel(tf.CLIPConfig(text_config=text, vision_config=vision, projection_dim=24))
    model.save_pretrained(folder)
    crop = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    words = tf.CLIPTokenizer(vocab=tokens, merges=[], model_max_length=77)
    tf.CLIPProcessor(tf.CLIPImageProcessor(**crop), words).save_pretrained(folder)


def save_siglip(tf, folder):
    """Write a tiny SigLIP with a vocabulary learned from the texts."""
    trainer = pytest.importorskip("sentencepiece", reason="SigLIP needs: sentencepiece")
    options = {"vocab_size": 50, "hard_vocab_limit": False, "minloglevel": 9}
    options |= {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    prefix = str(folder / "spiece")
    trainer.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS), model_prefix=prefix, **options
    )
    words = tf.SiglipTokenizer(vocab_file=f"{prefix}.model")
    vision = {**TOWER, "image_size": SIDE, "patch_size": 8}
    text = {**TOWER, "vocab_size": len(words)}
    tf.SiglipModel(tf.SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    images = tf.SiglipImageProcessor(size={"height": SIDE, "width": SIDE})
    tf.SiglipProcessor(images, words).save_pretrained(folder)


@pytest.fixture(
    scope="module", params=[(save_clip, 77), (save_siglip, 64)], ids=["clip", "siglip"]
)
def encoder(request, tmp_path_factory):
    """Return the folder of a tiny model, and how many tokens it reads."""
    tf = pytest.importorskip("transformers", reason="needs: pip install transformers")
    save, longest = request.param
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    save(tf, folder)
    return folder, longest


def test_rows_are_those_of_the_library(page, encoder, photos):
    """Unit rows as the whole model gives them, whatever the size of a batch."""
    from transformers import AutoModel, AutoProcessor

    X, Y = page["transformers_vectors"](encoder[0], photos, TEXTS)
    model = AutoModel.from_pretrained(encoder[0]).eval()
    processor = AutoProcessor.from_pretrained(encoder[0])
    images = list(cm.as_photos(photos, 224))
    inputs = processor(text=TEXTS, images=images, padding="max_length", return_tensors="pt")
    with torch.inference_mode():
        whole = model(input_ids=inputs["input_ids"], pixel_values=inputs["pixel_values"])
    assert X.shape == Y.shape == (len(TEXTS), whole.image_embeds.shape[1])
    np.testing.assert_allclose(X, whole.image_embeds.numpy(), atol=1e-5)
    np.testing.assert_allclose(Y, whole.text_embeds.numpy(), atol=1e-5)
    again = page["transformers_vectors"](encoder[0], photos, TEXTS, 5)
    for rows, others in zip((X, Y), again, strict=True):
        np.testing.assert_allclose(rows, others, atol=1e-5)


def test_long_texts_are_cut_or_averaged(page, encoder, photos):
    """What stands after the limit is not read; by sentence it is."""

    def encode(texts):
        return page["transformers_vectors"](encoder[0], photos[:1], texts)[1]

    long = "red " * encoder[1]  # at least a token each
    start, other, short = encode([long + "mug " * 90, long + "hat", "red mug"])
    np.testing.assert_allclose(start, other, atol=1e-6)
    assert np.abs(start - short).max() > 1e-3
    rows = page["by_sentence"](["A red mug, 4.9 of 5. It has dots! Blue?", "A hat."], encode)
    mean = encode(["A red mug, 4.9 of 5.", "It has dots!", "Blue?"]).mean(axis=0)
    np.testing.assert_allclose(rows[0], mean / np.linalg.norm(mean), atol=1e-5)
    np.testing.assert_allclose(rows[1], encode(["A hat."])[0], atol=1e-5)


def test_photos_are_read_when_they_are_needed(page, encoder, photos, monkeypatch, capsys):
    """A batch is read after the one before it was encoded; progress is shown."""
    from transformers import AutoProcessor

    read, as_photos, load = [], cm.as_photos, AutoProcessor.from_pretrained

    def noted(images, size):
        read.append(len(images))
        return as_photos(images, size)

    class Processor:
        def __init__(self, name):
            self.inner = load(name)

        def __call__(self, **inputs):
            read.append("encoded" if "images" in inputs else "text")
            return self.inner(**inputs)

    monkeypatch.setattr(cm, "as_photos", noted)
    monkeypatch.setattr(AutoProcessor, "from_pretrained", Processor)
    page["transformers_vectors"](encoder[0], photos * 2, TEXTS, n=2)
    assert read[: 2 * len(photos)] == [2, "encoded"] * len(photos)
    assert "40 of 48 photos encoded" in capsys.readouterr().out


def test_zero_shot_aligned_and_combined(page, encoder, sources, capsys):
    """The cell that asks a named model runs as it stands."""
    Y = [cm.TextFeatures().fit(TEXTS).transform(page[part].texts) for part in ("few", "test")]
    features = cm.ImageFeatures().fit(page["few"].images)
    X = [features.transform(page[part].images) for part in ("few", "test")]
    source = next(source for source in sources if source.startswith("clip_name = None"))
    source = re.sub(r"clip_name = None.*", f"clip_name = {str(encoder[0])!r}", source)
    exec(source, page | {"X_own": X, "Y_own": Y})
    told = capsys.readouterr().out
    assert all(name in told for name in ("zero-shot", "aligned", "with our own"))


def test_a_model_on_these_rows_is_saved_and_loaded(page, encoder, photos, tmp_path):
    X, Y = page["transformers_vectors"](encoder[0], photos, TEXTS)
    model = cm.CrossModalModel(objective="cca", hub_neighbours=10).fit_aligners(X, Y)
    model.save(tmp_path / "model.skops")
    opened = cm.CrossModalModel.load(tmp_path / "model.skops")
    for side, rows in (("image", X), ("text", Y)):
        assert (opened.encode_features(rows, side) == model.encode_features(rows, side)).all()


def test_open_clip(page, photos, tmp_path):
    """Rows are those of the library; a text is cut after 77 tokens."""
    open_clip = pytest.importorskip("open_clip", reason="needs: pip install open_clip_torch")
    vision = {"image_size": SIDE, "layers": 2, "width": 64, "patch_size": 8}
    text = {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 2}
    config = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text}
    (tmp_path / "tiny-of-the-course.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path)
    torch.manual_seed(0)
    name, weights = "tiny-of-the-course", tmp_path / "weights.pt"
    model, _, prepare = open_clip.create_model_and_transforms(name)
    torch.save(model.state_dict(), weights)
    long = [("mug " * 90).strip(), ("mug " * 80 + "hat").strip()]
    X, Y = page["open_clip_vectors"](name, str(weights), photos, TEXTS + long, 5)
    images = torch.stack([prepare(Image.fromarray(x)) for x in cm.as_photos(photos, 224)])
    with torch.inference_mode():
        A = model.eval().encode_image(images, normalize=True).numpy()
        B = model.encode_text(open_clip.get_tokenizer(name)(TEXTS), normalize=True).numpy()
    np.testing.assert_allclose(X, A, atol=1e-5)
    np.testing.assert_allclose(Y[: len(TEXTS)], B, atol=1e-5)
    np.testing.assert_allclose(Y[-1], Y[-2], atol=1e-6)
