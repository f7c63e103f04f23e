"""A torch module and batches in, the norm of each input feature of its layers out: factors for a file of scores.

Multiplied with |w|, they are the scores of Wanda (Sun et al., "A simple and effective pruning approach for large
language models", ICLR 2024, section 3). Squares are added in float64, over all batches and all calls of a layer.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING, Any, TypeAlias

from topoimp.checkpoint.masked_weights import ORIGINAL_SUFFIX
from topoimp.errors import LayerError, OptionError
from topoimp.torch_modules.masked_parameters import weight_names
from topoimp.torch_modules.weights import named_weights, unwrapped

if TYPE_CHECKING:
    import torch
    from torch import nn

    Convolution: TypeAlias = nn.Conv1d | nn.Conv2d | nn.Conv3d

CONV1D = "Conv1D"
"""The class of transformers whose weights are stored as (inputs, outputs), as in GPT-2."""


def activation_norms(
    model: "nn.Module", batches: "Iterable[torch.Tensor | Sequence[Any] | Mapping[str, Any]]"
) -> dict[str, "torch.Tensor"]:
    """Return the L2 norm of each input feature of each layer, over all positions of all batches.

    The layers are ``nn.Linear``, ``nn.Conv1d``, ``nn.Conv2d``, ``nn.Conv3d`` and the ``Conv1D`` of transformers.
    The model runs in eval mode without gradients; afterwards each module is in the mode it was in, and has no hooks.

    Layers that no batch runs have no entry. Neither have ``nn.MultiheadAttention`` and recurrent modules, which read
    their weights without calling a layer, nor weights that a parametrization computes. Padding counts as any other
    position does, so give texts of different lengths one by one. Compiled modules run as they were written, and
    data-parallel ones on one device.

    Args:
        model: the module; its parameters have the names of the file to be pruned.
        batches: the arguments of each call, on the device of the model: a tensor, a tuple or list of positional
            arguments, or a mapping of keyword arguments, as tokenizers return.

    Returns:
        By name of the weight, float32 on the CPU, a factor for each column of the layer as a matrix, shape
        (1, columns). For ``Conv1D`` a factor for each row, shape (rows, 1). For a convolution with groups, whose rows
        read different inputs, the products of |w| and the norms, in the shape of the weight. A tied weight has one
        entry, over all its calls, under the first of its names. ``safetensors.torch.save_file`` writes the dictionary
        as a file of scores.

    Raises:
        OptionError: if there is no batch, or a batch is none of these.
        LayerError: if the inputs of a layer are not finite, or a parameter has no values here.

    Source: Sun et al., ICLR 2024, equation 1.

    >>> import torch
    >>> norms = activation_norms(torch.nn.Linear(2, 3), [torch.tensor([[3.0, 1.0], [4.0, 0.0]])])
    >>> norms["weight"]
    tensor([[5., 1.]])
    """
    import torch

    inner = unwrapped(model)
    sums = _SquaredSums(inner)
    n_batches = 0
    with _in_eval_mode(inner), _uncompiled(), torch.no_grad(), sums.hooked():
        for batch in _checked(batches):
            _run(inner, batch, n_batches)
            n_batches += 1

    if n_batches == 0:
        raise OptionError("`batches` is empty; norms need at least one batch")
    return sums.norms()


class _SquaredSums:
    """The sum of the squares of each layer's input features, by name of the weight."""

    def __init__(self, model: "nn.Module") -> None:
        of_parameters = weight_names(model)
        names: dict[int, str] = {}
        for name, parameter in named_weights(model).items():
            names.setdefault(id(parameter), of_parameters[name])

        self._layers: dict[str, list[nn.Module]] = {}
        for module in model.modules():
            weight = _parameter(module)
            if id(weight) in names and _is_layer(module):
                self._layers.setdefault(names[id(weight)], []).append(module)
        self._sums: dict[str, torch.Tensor] = {}

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Add the inputs of every call of a layer while the block runs."""
        handles = [
            module.register_forward_pre_hook(self._adding(name), with_kwargs=True)
            for name, modules in self._layers.items()
            for module in modules
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def norms(self) -> dict[str, "torch.Tensor"]:
        """Return the factors of each layer that has run, in the order of the modules."""
        ran = [name for name in self._layers if name in self._sums]
        return {name: _factors(self._layers[name][0], self._sums[name].sqrt().float()) for name in ran}

    def _adding(self, name: str) -> Any:  # Any: torch's hooks have no common type
        """Return the hook that adds the inputs of a layer."""

        def add(module: "nn.Module", args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            inputs = args[0] if args else next(iter(kwargs.values()))
            squares = _squares(module, inputs.detach()).cpu()
            if not squares.isfinite().all():
                raise LayerError(f"the inputs of {name!r} hold a NaN or an infinity; norms need finite inputs")
            self._sums[name] = self._sums[name] + squares if name in self._sums else squares

        return add


def _parameter(module: "nn.Module") -> object:
    """Return the parameter that a module's weight is, or is the masked copy of."""
    own = module._parameters
    return own.get("weight", own.get(f"weight{ORIGINAL_SUFFIX}"))


def _is_layer(module: "nn.Module") -> bool:
    """Return whether a module's inputs are known to be features of its weight."""
    from torch import nn

    if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return True
    shape = list(getattr(_parameter(module), "shape", []))
    return type(module).__name__ == CONV1D and len(shape) == 2 and getattr(module, "nf", None) == shape[1]


def _squares(module: "nn.Module", inputs: "torch.Tensor") -> "torch.Tensor":
    """Return the sums of the squares of a call's inputs, shape (features,), of all groups one after the other."""
    from torch import nn

    if inputs.device.type == "mps":  # has no float64
        inputs = inputs.cpu()
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return _squares_of_patches(module, inputs)
    return inputs.double().square().reshape(-1, inputs.shape[-1]).sum(dim=0)


def _squares_of_patches(module: "Convolution", inputs: "torch.Tensor") -> "torch.Tensor":
    """Return the sums of the squares under each weight of one filter, in the order of a filter's weights.

    Images are added before they are read under the kernel, so that no patch is copied.
    """
    import torch
    from torch.nn.functional import pad

    n_axes = len(module.kernel_size)
    images = inputs if inputs.dim() == n_axes + 2 else inputs[None]
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    squares = pad(images, _padding(module), mode).double().square().sum(dim=0)

    sums = []
    for places in product(*map(range, module.kernel_size)):
        starts = [place * gap for place, gap in zip(places, module.dilation, strict=True)]
        ends = [n - reach + start for n, reach, start in zip(squares.shape[1:], _reaches(module), starts, strict=True)]
        seen = [slice(*edges) for edges in zip(starts, ends, module.stride, strict=True)]
        sums.append(squares[:, *seen].flatten(1).sum(dim=1))
    return torch.stack(sums, dim=1).flatten()


def _reaches(module: "Convolution") -> list[int]:
    """Return the distance between the first and the last entry under a kernel, along each axis."""
    return [gap * (size - 1) for gap, size in zip(module.dilation, module.kernel_size, strict=True)]


def _padding(module: "Convolution") -> list[int]:
    """Return how many entries a convolution adds before and after each axis, the last axis first."""
    if isinstance(module.padding, str):  # "same", or "valid" for none
        totals = [reach if module.padding == "same" else 0 for reach in reversed(_reaches(module))]
        return [side for total in totals for side in (total // 2, total - total // 2)]
    return [side for each in reversed(module.padding) for side in (each, each)]


def _factors(module: "nn.Module", norms: "torch.Tensor") -> "torch.Tensor":
    """Return the norms in the shape in which a file of scores has them."""
    from torch import nn

    if type(module).__name__ == CONV1D:
        return norms[:, None]
    if not isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) or module.groups == 1:
        return norms[None]

    weight = module.weight.detach().cpu().float().abs()
    of_rows = norms.reshape(module.groups, 1, -1).expand(-1, len(weight) // module.groups, -1)
    return weight * of_rows.reshape(weight.shape)


@contextmanager
def _in_eval_mode(model: "nn.Module") -> Iterator[None]:
    """Put every module into eval mode, and back into its own mode after the block.

    In eval mode the transformers of torch have a fast path, which does not call their layers.
    """
    from torch.backends import mha

    modes = {module: module.training for module in model.modules()}
    has_fast_path = mha.get_fastpath_enabled()
    model.eval()
    mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        mha.set_fastpath_enabled(has_fast_path)
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def _uncompiled() -> Iterator[None]:
    """Run compiled modules as they were written while the block runs: those compiled before do not see new hooks."""
    import torch

    if "torch._dynamo" not in sys.modules:  # nothing is compiled
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def _checked(batches: object) -> Iterator[object]:
    """Yield the batches; one batch in their place is an OptionError."""
    import torch

    if isinstance(batches, torch.Tensor | Mapping) or not isinstance(batches, Iterable):
        raise OptionError(f"`batches` is one {type(batches).__name__}; a list of batches is needed")
    yield from batches


def _run(model: "nn.Module", batch: object, number: int) -> None:
    """Call the model with one batch."""
    import torch

    if isinstance(batch, torch.Tensor):
        model(batch)
    elif isinstance(batch, Mapping):
        model(**batch)
    elif isinstance(batch, tuple | list):
        model(*batch)
    else:
        needed = "a tensor, a tuple or list of arguments, or a mapping of them is needed"
        raise OptionError(f"`batches` has a {type(batch).__name__} at {number}; {needed}")
