import argparse
import collections
import os
import pathlib
import sys
import types

import numpy as np
import pytest
import torch

from topoimp.checkpoint import open_checkpoint
from topoimp.checkpoint.safe_pickles import STAND_INS
from topoimp.errors import CheckpointError

WEIGHT = torch.arange(6.0).reshape(2, 3)


@pytest.fixture
def save(tmp_path):
    """Save something beside a weight, and give the path."""

    def save_file(name="model.pt", is_zip=True, **others):
        torch.save({"w": WEIGHT, **others}, tmp_path / name, _use_new_zipfile_serialization=is_zip)
        return tmp_path / name

    return save_file


def assert_read(path):
    checkpoint = open_checkpoint(path)
    assert list(checkpoint.tensors) == ["w"]
    assert checkpoint.stored("w").tobytes() == WEIGHT.numpy().tobytes()


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize(
    "beside",
    [
        np.float64(0.9),
        np.float32(0.9),
        np.int64(3),
        np.bool_(True),
        np.str_("best"),
        np.arange(3.0),
        np.random.RandomState(0).get_state(),
        np.dtype("f4"),
        torch.__version__,
        argparse.Namespace(lr=0.1, out=pathlib.PurePosixPath("out")),
        collections.defaultdict(list, {"loss": [1.0, 0.5]}),
        collections.Counter("abc"),
        {1, 2},
        torch.float16,
        torch.device("cpu"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_that_training_scripts_keep_beside_the_weights_are_no_hindrance(save, beside, is_zip):
    assert_read(save(is_zip=is_zip, beside=beside))


@pytest.fixture
def foreign(monkeypatch):
    """Make a class of a package that is not installed, which cannot be used once the file is written."""

    def make(module, name, bases=(), **members):
        parents = module.split(".")
        for depth in range(1, len(parents) + 1):
            monkeypatch.setitem(sys.modules, ".".join(parents[:depth]), types.ModuleType(".".join(parents[:depth])))
        made = type(name, bases, {"__module__": module, "__qualname__": name, **members})
        setattr(sys.modules[module], name, made)
        return made

    return make


def test_hyperparameters_of_lightning_are_read_without_lightning(save, foreign, monkeypatch):
    attributes = foreign("pytorch_lightning.utilities.parsing", "AttributeDict", (dict,))
    callback = foreign("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")
    path = save(hyper_parameters=attributes(lr=0.1), callbacks={callback: {"best_model_score": torch.tensor(0.5)}})
    monkeypatch.undo()

    assert open_checkpoint(path).not_tensors == ["hyper_parameters"]


def test_a_configuration_of_omegaconf_is_read_without_omegaconf(save, foreign, monkeypatch):
    config = foreign("omegaconf.dictconfig", "DictConfig")
    metadata = foreign("omegaconf.base", "ContainerMetadata")
    configuration = config()
    configuration.__dict__.update(_content={"lr": 0.1}, _metadata=metadata(), types=(dict, list, int))
    path = save(config=configuration)
    monkeypatch.undo()

    assert_read(path)


def test_no_code_of_an_allowed_class_runs(save, foreign):
    ran = []
    config = foreign(
        "omegaconf.dictconfig",
        "DictConfig",
        __setstate__=lambda _self, _state: ran.append("state"),
        __getstate__=lambda _self: {"a": 1},
    )
    path = save(config=config())

    assert_read(path)
    assert ran == []


def test_stand_ins_are_allowed_while_a_file_is_loaded_and_not_after(save):
    before = allowed_globals()
    open_checkpoint(save(beside=np.float64(1)))

    assert allowed_globals() == before


def allowed_globals() -> set[object]:
    """What torch may load; it lists a set, whose order may change whenever something is added or taken away."""
    return set(torch.serialization.get_safe_globals())


def test_each_stand_in_is_a_class_of_topoimp_that_does_nothing():
    for stand_in, name in STAND_INS:
        made = stand_in("anything", 3)
        assert stand_in.__module__ == "topoimp.checkpoint.safe_pickles"
        assert made == {} or vars(made) == {}, name


class Unknown:
    """A class that no list allows."""


@pytest.mark.parametrize("is_zip", [True, False])
def test_another_class_is_refused_by_its_name_and_with_what_to_do(save, is_zip):
    path = save(beside=Unknown(), is_zip=is_zip)

    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(path)

    assert str(caught.value) == (
        f"{path}: holds a pickled {__name__}.Unknown, and loading that could run code; save the state dict alone, "
        "torch.save(model.state_dict(), ...), or a safetensors file"
    )


class Calls:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("call", [Calls(os.system, "true"), Calls(eval, "1"), Calls(getattr, "", "join")])
def test_functions_are_refused_too(save, call):
    with pytest.raises(CheckpointError, match=r"holds a pickled (posix.system|eval|getattr), and loading that"):
        open_checkpoint(save(beside=call))


@pytest.mark.parametrize("name", ["model.safetensors", "old.safetensors"])
def test_a_pytorch_file_under_the_name_of_a_safetensors_file_is_read(save, name):
    assert_read(save(name, is_zip=name.startswith("model")))


@pytest.mark.parametrize(
    "content",
    [b"PK\x03\x04" + bytes(40), b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", b"\x80\x04N.", b"\x80\x02\x93."],
)
def test_no_message_advises_to_load_a_file_without_protection(tmp_path, content):
    (tmp_path / "model.pt").write_bytes(content)

    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(tmp_path / "model.pt")

    assert "False" not in str(caught.value)
    assert "safe_globals" not in str(caught.value)
    assert "trust" not in str(caught.value)


def test_a_truncated_file_is_refused_in_one_sentence(tmp_path):
    torch.save({"fc.weight": torch.rand(20, 20)}, tmp_path / "whole.pt")
    (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:900])

    with pytest.raises(CheckpointError) as error:
        open_checkpoint(tmp_path / "cut.pt")

    reason = "is cut short or damaged, as after a download that did not finish; download or save it again"
    assert str(error.value) == f"{tmp_path}/cut.pt: {reason}"
