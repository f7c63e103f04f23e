"""The factors of batch norms, against torch."""

import numpy as np
import pytest
import torch

from topoimp.architectures import parse_architecture
from topoimp.architectures.graph import architecture_graph
from topoimp.checkpoint import tensors_as_checkpoint
from topoimp.errors import CheckpointError
from topoimp.network.norms import norm_factors


def test_factors_are_those_by_which_torch_multiplies():
    norm = torch.nn.BatchNorm2d(16).eval()
    generator = torch.Generator().manual_seed(0)
    norm.weight.data = torch.randn(16, generator=generator)
    norm.running_var.data = torch.rand(16, generator=generator)
    graph = architecture_graph(parse_architecture("resnet-20"))
    names = {each.norm for each in graph.connections if each.norm is not None}
    ones = {f"{name}.{key}": torch.ones(64) for name in names for key in ("weight", "running_var")}
    name = graph.connections[0].norm
    tensors = {**ones, f"{name}.weight": norm.weight.data, f"{name}.running_var": norm.running_var}

    found = norm_factors(graph, tensors_as_checkpoint(tensors, name="resnet"))

    image = torch.ones(1, 16, 1, 1)
    factors = (norm(image) - norm(0 * image)).abs().detach().numpy().reshape(-1)
    assert found.keys() == names
    assert np.allclose(found[name], factors, rtol=1e-5, atol=1e-6)


def test_a_checkpoint_without_its_norms_is_refused():
    graph = architecture_graph(parse_architecture("resnet-20"))
    with pytest.raises(CheckpointError, match=r"^resnet: has no tensor '.*\.weight', which the strength of paths"):
        norm_factors(graph, tensors_as_checkpoint({"x": torch.ones(2, 2)}, name="resnet"))
