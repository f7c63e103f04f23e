"""Residual networks for small images: ResNet-20, designed for CIFAR-10, and ResNet-18 adapted to it."""

from dataclasses import dataclass

from topoimp.architectures.architecture import CIFAR_IMAGE, Architecture, ImageShape, InitialWeights, require_size
from topoimp.architectures.parts import Block, Convolution, Dense, Norm, Operation, Part


@dataclass(frozen=True)
class ResidualPlan:
    """The stages of a residual network.

    Args:
        channels: channels of each stage; the image is halved between stages.
        n_blocks: blocks in each stage.
        projects: whether shortcuts between stages are trained (option B) or filled with zeros (option A).
    """

    channels: tuple[int, ...]
    n_blocks: int
    projects: bool


RESIDUAL_PLANS = {
    "resnet-20": ResidualPlan((16, 32, 64), n_blocks=3, projects=False),
    "resnet-18": ResidualPlan((64, 128, 256, 512), n_blocks=2, projects=True),
}


def residual_network(name: str, image: ImageShape | None, n_classes: int) -> Architecture:
    """Return ResNet-20 or ResNet-18: a 3 x 3 convolution, blocks, the mean over all pixels, a fully connected layer.

    resnet-20 is He et al.'s network for CIFAR-10, with shortcuts that have no parameters. Frankle & Carbin, ICLR 2019,
    call "Resnet-18" the same network with trained shortcuts (274K in their figure 2). resnet-18 is He et al.'s
    network for ImageNet with a 3 x 3 convolution in place of the first 7 x 7 one and its pooling.

    Raises:
        OptionError: if the images are too small.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2 and table 1; the form of
    resnet-18 as in the public implementation for CIFAR-10, kuangliu/pytorch-cifar.
    """
    image, plan = image or CIFAR_IMAGE, RESIDUAL_PLANS[name]
    require_size(name, image, len(plan.channels) - 1)
    n_first, n_last = plan.channels[0], plan.channels[-1]
    parts: dict[str, Part] = {
        "conv1": Convolution(image[0], n_first, has_bias=False),
        "norm1": Norm(n_first),
        "conv1_relu": Operation.RELU,
        **_blocks(plan),
        "mean": Operation.MEAN,
        "flatten": Operation.FLATTEN,
        "fc": Dense(n_last, n_classes),
    }
    return Architecture(name, parts, InitialWeights.HE_NORMAL)


def _blocks(plan: ResidualPlan) -> dict[str, Part]:
    blocks: dict[str, Part] = {}
    n_in = plan.channels[0]
    for stage, n_out in enumerate(plan.channels):
        for number in range(plan.n_blocks):
            stride = 2 if stage > 0 and number == 0 else 1
            blocks[f"block{len(blocks) + 1}"] = Block(n_in, n_out, stride, plan.projects)
            n_in = n_out
    return blocks
