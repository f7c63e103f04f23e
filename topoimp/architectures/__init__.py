"""A MODEL string in, a network as names and shapes out; nothing here needs torch.

A MODEL is the name of a published network, such as ``lenet-300-100`` or ``resnet-20``, or ``mlp:`` and its widths,
input first: ``mlp:784-300-100-10``. The dense layers of a VGG can be listed too: ``vgg-11:2048-1024-1024-200``.
"""

from topoimp.architectures.architecture import Architecture, ImageShape, InitialWeights
from topoimp.architectures.networks import NAMED_NETWORKS, parse_architecture
from topoimp.architectures.seen_images import seen_images

__all__ = ["NAMED_NETWORKS", "Architecture", "ImageShape", "InitialWeights", "parse_architecture", "seen_images"]
