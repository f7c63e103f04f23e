"""Layers of a checkpoint by their names: a name in, the weights of that layer out."""

from topoimp.checkpoint import Checkpoint
from topoimp.errors import LayerError
from topoimp.layers.layer import Layer
from topoimp.layers.records import LayerPatterns
from topoimp.layers.tensors import select_layers

ALL_LAYERS = LayerPatterns(embeddings=True)
"""Every layer, embeddings and heads too."""


def layer_names(checkpoint: Checkpoint, *, patterns: LayerPatterns = ALL_LAYERS) -> list[str]:
    """Return the names of a checkpoint's layers in natural order (2 before 10): those that ``read_layer`` reads.

    A tensor that holds several graphs has a name for each of them, as in ``experts[3]``.

    Raises:
        OptionError: if a pattern matches no layer.
        LayerError: if there is no layer.

    >>> from topoimp import open_checkpoint
    >>> layer_names(open_checkpoint("sample_checkpoints/lenet-300-100-mnist.safetensors"))
    ['fc1.weight', 'fc2.weight', 'fc3.weight']
    """
    return [info.name for info in select_layers(checkpoint, patterns).infos]


def read_layer(checkpoint: Checkpoint, name: str, *, patterns: LayerPatterns = ALL_LAYERS) -> Layer:
    """Return a layer of a checkpoint by its name, with the weights as they are stored, in any floating-point type.

    The file is mapped, not copied: memory holds the weights only while a function reads them.

    Args:
        checkpoint: a checkpoint, opened by ``open_checkpoint``.
        name: the layer's name, as ``layer_names`` lists it, or a name that is tied to it.
        patterns: the layers to choose from, and the groups and the view in which they are read; all if left out.

    Raises:
        OptionError: if a pattern matches no layer.
        LayerError: if there is no layer of this name among those that the patterns select; the message has the reason.
        CheckpointError: if the file cannot be read.

    >>> from topoimp import barcode_of, open_checkpoint
    >>> checkpoint = open_checkpoint("sample_checkpoints/lenet-300-100-mnist.safetensors")
    >>> layer = read_layer(checkpoint, "fc3.weight")
    >>> layer.codes.shape, barcode_of(layer).n_essential
    ((10, 100), 1)
    """
    layers = select_layers(checkpoint, patterns)
    for info in layers.infos:
        if name in (info.name, *(info.also if info.name == info.tensor else ())):
            return layers.read(info)

    reasons = {tensor.name: tensor.reason for tensor in layers.left_out}
    if name in reasons:
        raise LayerError(f"{checkpoint.path}: {name!r} is left out: {reasons[name]}")
    names = [info.name for info in layers.infos]
    some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    raise LayerError(f"{checkpoint.path}: has no layer {name!r}; its layers are {some}")
