"""Tests of the vectors that readers bring: by the loading code of notebook 05, on tiny models.

The models are built from a configuration with random weights, saved and loaded back, so nothing is
downloaded. They need libraries that the course does not install; in an environment of their own::

    pip install torch transformers open_clip_torch
    python -m pytest tests/test_pretrained.py
"""

import json

import numpy as np
import pytest

import crossmodal_utils as cm
import own_catalogue

TEXTS = ["a red mug", "a blue hat with a ribbon", "grey socks", "word " * 100, "a red mug"]


@pytest.fixture(scope="module")
def photos():
    """Return five photos, the last like the first."""
    images = cm.make_catalogue(5, random_state=0).images
    return np.concatenate([images[:4], images[:1]])


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    """Save a tiny CLIP model, as transformers saves one; return its folder."""
    torch, transformers = (pytest.importorskip(name) for name in ("torch", "transformers"))
    folder = tmp_path_factory.mktemp("clip")
    save_processor(transformers, folder)
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    small["num_attention_heads"] = 2
    ends = {"vocab_size": 82, "bos_token_id": 80, "eos_token_id": 81, "pad_token_id": 81}
    config = transformers.CLIPConfig(
        text_config={**small, **ends, "max_position_embeddings": 16},
        vision_config={**small, "image_size": 32, "patch_size": 8},
        projection_dim=12,
    )
    torch.manual_seed(0)
    transformers.CLIPModel(config).save_pretrained(folder)
    return folder


def save_processor(transformers, folder):
    """Save what prepares photos and texts, with a vocabulary of letters."""
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789-,.!")
    words = letters + [f"{letter}</w>" for letter in letters]
    vocabulary = {word: i for i, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    files = [str(folder / name) for name in ("vocab.json", "merges.txt")]
    tokenizer = transformers.CLIPTokenizer(*files, model_max_length=16)
    side = {"height": 32, "width": 32}
    image_processor = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=side)
    processor = transformers.CLIPProcessor(image_processor=image_processor, tokenizer=tokenizer)
    processor.save_pretrained(folder)


@pytest.fixture(scope="module")
def siglip_folder(tmp_path_factory):
    """Save a tiny SigLIP model, as transformers saves one; return its folder."""
    torch, transformers = (pytest.importorskip(name) for name in ("torch", "transformers"))
    tokenizers = pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("siglip")
    words = ["[pad]", "[unk]", *sorted(set(" ".join(TEXTS).split()))]
    vocabulary = {word: i for i, word in enumerate(words)}
    splitter = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[unk]"))
    splitter.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    marks = {"pad_token": "[pad]", "unk_token": "[unk]", "model_max_length": 16}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=splitter, **marks)
    image_processor = transformers.SiglipImageProcessor(size={"height": 32, "width": 32})
    processor = transformers.SiglipProcessor(image_processor=image_processor, tokenizer=tokenizer)
    processor.save_pretrained(folder)
    small = {"hidden_size": 12, "intermediate_size": 32, "num_hidden_layers": 2}
    small["num_attention_heads"] = 2
    ends = {"vocab_size": len(words), "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    config = transformers.SiglipConfig(
        text_config={**small, **ends, "max_position_embeddings": 16, "projection_size": 12},
        vision_config={**small, "image_size": 32, "patch_size": 8},
    )
    torch.manual_seed(0)
    transformers.SiglipModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def open_clip_folder(tmp_path_factory):
    """Save a tiny OpenCLIP model, as its hub folders are laid out; return its folder."""
    torch, open_clip = (pytest.importorskip(name) for name in ("torch", "open_clip"))
    folder = tmp_path_factory.mktemp("open_clip")
    vision = {"image_size": 32, "patch_size": 8, "width": 64, "layers": 2}
    text = {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    config = {"embed_dim": 12, "vision_cfg": vision, "text_cfg": text}
    torch.manual_seed(0)
    model = open_clip.CLIP(**config)
    normal = {"mean": [0.5] * 3, "std": [0.5] * 3}
    described = json.dumps({"model_cfg": config, "preprocess_cfg": normal})
    (folder / "open_clip_config.json").write_text(described)
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder


LOADERS = {
    "clip_folder": own_catalogue.transformers_vectors,
    "siglip_folder": own_catalogue.transformers_vectors,
    "open_clip_folder": own_catalogue.open_clip_vectors,
}


@pytest.mark.parametrize("model", LOADERS)
def test_models_in_a_folder_make_vectors_of_pairs(request, photos, model):
    folder, load = request.getfixturevalue(model), LOADERS[model]
    X, Y = load(folder, photos, TEXTS, batch_size=2)
    assert X.shape == Y.shape == (5, 12) and X.dtype == Y.dtype == np.float32
    assert all(np.allclose(np.linalg.norm(Z, axis=1), 1, atol=1e-5) for Z in (X, Y))
    for Z in (X, Y):  # equal inputs have equal vectors, others do not, whatever the batch
        assert np.allclose(Z[0], Z[4], atol=1e-5)
        assert min(np.abs(Z[0] - Z[i]).max() for i in (1, 2, 3)) > 1e-3
    again = load(folder, photos, TEXTS, batch_size=5)
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip((X, Y), again, strict=True))


def test_the_vectors_are_those_of_the_model_itself(clip_folder, photos):
    torch, transformers = (pytest.importorskip(name) for name in ("torch", "transformers"))
    X, Y = own_catalogue.transformers_vectors(clip_folder, photos, TEXTS)
    model = transformers.CLIPModel.from_pretrained(clip_folder).eval()
    processor = transformers.CLIPProcessor.from_pretrained(clip_folder)
    inputs = processor(
        text=TEXTS, images=list(photos), return_tensors="pt", padding=True, truncation=True
    )
    with torch.inference_mode():
        scores = model(**inputs).logits_per_image.numpy() / model.logit_scale.exp().item()
    assert np.allclose(X @ Y.T, scores, atol=1e-5)


def test_what_is_missing_is_told_in_one_line(tmp_path):
    missing = own_catalogue.missing_for
    assert missing(None, "numpy") == "no model folder is named"
    assert missing(tmp_path, "numpy", "no_such_library_x") == (
        "the library no_such_library_x is not installed"
    )
    assert missing(tmp_path / "gone", "numpy") == "the model folder does not exist"
    assert missing(tmp_path, "numpy", "json") == ""


# --- any vectors, by the same code ---------------------------------------------------------------


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """Return stand-in vectors of 400 products, by way of .npy files."""
    shop = cm.make_catalogue(400, random_state=0)
    folder = tmp_path_factory.mktemp("vectors")
    for name, Z in zip("XY", own_catalogue.stand_in_vectors(shop.images, shop.texts), strict=True):
        np.save(folder / f"{name}.npy", Z)
    return [np.load(folder / f"{name}.npy", allow_pickle=False) for name in "XY"]


@pytest.mark.parametrize("objective", cm.OBJECTIVES)
def test_vectors_are_aligned_evaluated_and_searched(vectors, objective):
    X, Y = vectors
    assert X.shape == Y.shape == (400, 192) and X.dtype == np.float32
    model = cm.CrossModalModel(objective=objective).fit_aligners(X[:300], Y[:300], None, None)
    E_image, E_text = (
        model.encode_features(Z[300:], s) for Z, s in zip(vectors, ("image", "text"), strict=True)
    )
    ranks = cm.evaluate(E_image, E_text)
    assert all(cm.recall_at_k(r, 10) > 3 * cm.chance_levels(100)["r10"] for r in ranks.values())
    found = cm.exact_top_k(E_text, E_image, 3)[1]
    assert found.shape == (100, 3)
    assert np.array_equal(found[:, 0] == np.arange(100), ranks["text_to_image"] == 1)


def test_stand_ins_learn_nothing_and_share_no_space(vectors):
    shop = cm.make_catalogue(400, random_state=0)
    some = own_catalogue.stand_in_vectors(shop.images[7:9], shop.texts[7:9])
    assert all(np.allclose(a, b[7:9], atol=1e-5) for a, b in zip(some, vectors, strict=True))
    ranks = cm.evaluate(*vectors)
    assert all(cm.recall_at_k(r, 10) < 0.1 for r in ranks.values())


# --- the shop on disk ---------------------------------------------------------------------------


def test_the_shop_is_read_whole_and_its_damage_named(tmp_path, capsys):
    path = own_catalogue.write_shop(tmp_path, n_products=420)
    whole = cm.load_catalogue(path)
    assert len(whole) == 462 and whole.skipped == [] and len(set(whole.texts)) <= 420
    products = cm.make_catalogue(420, random_state=0, size=72)
    assert whole.texts[:420] == products.texts
    colour = [i for i in range(420) if i % 40 != 7]  # those are grey
    seen = cm.as_photos(list(products.images), 64).astype(float)
    assert np.abs(whole.images[:420] - seen)[colour].mean() < 6
    own_catalogue.damage_shop(path)
    with pytest.raises(ValueError, match="9 of 462 rows are bad"):
        cm.load_catalogue(path)
    assert len(cm.load_catalogue(path, on_error="skip")) == 453
    kinds = {why.partition(":")[0] for _, why in cm.load_catalogue(path, on_error="skip").skipped}
    assert len(kinds) == 8
