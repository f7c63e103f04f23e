"""What a round keeps, as truth values of whole tensors: for weights that are in memory anyway."""

import numpy as np

from topoimp.arrays import BoolArray
from topoimp.errors import VerificationError
from topoimp.layers.catalogue import LayerInfo
from topoimp.layers.layer import Layer
from topoimp.layers.streaming import LayerStream
from topoimp.pruning.one_shot import Round
from topoimp.pruning.rules import kept_of


def edges_of(stream: LayerStream) -> dict[str, int]:
    """Give, by layer name, how many weights are not zero."""

    def look(layer: Layer, threads: int) -> int:  # noqa: ARG001  # of a protocol
        return int(np.count_nonzero(layer.edges()))

    return stream.each(look)


def masks_of_round(stream: LayerStream, now: Round) -> dict[str, BoolArray]:
    """Give, by tensor name and in the tensor's shape, what a round keeps.

    Of a tensor's groups that are left alone, whatever is not zero is kept, as in a mask file.

    Raises:
        VerificationError: if that is not as much as the round was to keep; that is a defect of topoimp.
    """
    infos, checkpoint = stream.layers.by_name, stream.layers.checkpoint
    kept: dict[str, BoolArray] = {}
    for name, of_tensor in stream.layers.by_tensor().items():
        kept[name] = np.not_equal(of_tensor[0].number_format.magnitudes(checkpoint.codes(name)), 0)

    def look(layer: Layer, threads: int) -> None:
        info = infos[layer.name]
        of_layer = kept_of(now.keeps[layer.name], layer, threads)
        kept[info.tensor][info.first : info.first + info.n_weights] = of_layer
        _check_count(info, int(np.count_nonzero(of_layer)), now)

    stream.each(look)
    return {name: mask.reshape(checkpoint.tensors[name].shape) for name, mask in kept.items()}


def _check_count(info: LayerInfo, n_kept: int, now: Round) -> None:
    wanted = now.layers[info.name].preservation.n_kept
    if n_kept != wanted:
        raise VerificationError(f"the mask of {info.name!r} keeps {n_kept} weights; {wanted} were to be kept")
