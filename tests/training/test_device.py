import pytest
import torch

from topoimp.errors import OptionError
from topoimp.training.device import device_of


def test_a_device_is_found_or_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert (device_of("auto"), device_of("cpu")) == ("cpu", "cpu")
    with pytest.raises(OptionError, match="the device is cuda, and this machine has none; the recipe must name cpu"):
        device_of("cuda")
    with pytest.raises(OptionError, match="there is no device 'tpu'; known are auto, cpu and cuda"):
        device_of("tpu")


def test_the_device_is_cuda_where_there_is_any(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    assert device_of("auto") == "cuda"
