import collections
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from topoimp.checkpoint import open_checkpoint
from topoimp.errors import CheckpointError


class Unsafe:
    """What a pickle could run when it is loaded."""

    def __reduce__(self):
        return print, ("it ran",)


def tensors(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {"fc.weight": torch.randn(3, 4, generator=generator), "fc.bias": torch.randn(3, generator=generator)}


@pytest.fixture
def save(tmp_path):
    """Save something with torch.save and give its path."""

    def save_file(content, name="model.pt", **options):
        torch.save(content, tmp_path / name, **options)
        return tmp_path / name

    return save_file


def assert_holds(path, expected):
    checkpoint = open_checkpoint(path)
    assert list(checkpoint.tensors) == list(expected)
    for name, tensor in expected.items():
        assert checkpoint.tensors[name].shape == tuple(tensor.shape)
        assert checkpoint.stored(name).tobytes() == tensor.contiguous().view(torch.uint8).numpy().tobytes()


@pytest.mark.parametrize("name", ["m.pt", "m.pth", "m.bin", "m.ckpt", "pytorch_model.bin", "no-suffix"])
@pytest.mark.parametrize("is_zip", [True, False])
def test_a_state_dict_is_read_bit_for_bit_whatever_its_name_and_age(save, name, is_zip):
    assert_holds(save(tensors(), name, _use_new_zipfile_serialization=is_zip), tensors())


@pytest.mark.parametrize(
    "wrapped",
    [
        {"state_dict": tensors(), "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}, "epoch": 3},
        {"model": tensors(), "optimizer": {"state": {}}, "rng": torch.ones(3).tolist()},
        {"model": {"state_dict": tensors(), "version": 1}},
        {"student": tensors(), "epoch": 3},
        {"state_dict": tensors(), "best": torch.tensor(71.3), "optimizer": {"state": {0: {"m": torch.ones(3, 4)}}}},
        collections.OrderedDict(tensors()),
        {name: torch.nn.Parameter(tensor) for name, tensor in tensors().items()},
    ],
)
def test_the_state_dict_is_found_where_training_scripts_keep_it(save, wrapped):
    assert_holds(save(wrapped), tensors())


def test_nested_names_are_joined_with_dots(save):
    one = torch.ones(2, 2)

    assert_holds(
        save({"a": one, "block": {"b": one + 1, "deep": {"c": one + 2}}}),
        {"a": one, "block.b": one + 1, "block.deep.c": one + 2},
    )


def test_what_else_is_in_the_file_is_said(save):
    path = save({"state_dict": {**tensors(), "_metadata": "x"}, "epoch": 3, "optimizer": {"lr": 0.1}})

    assert open_checkpoint(path).not_tensors == ["epoch", "optimizer", "state_dict._metadata"]


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (torch.float64, "F64"),
        (torch.float16, "F16"),
        (torch.bfloat16, "BF16"),
        (torch.float8_e4m3fn, "F8_E4M3"),
        (torch.float8_e5m2, "F8_E5M2"),
        (torch.int64, "I64"),
        (torch.bool, "BOOL"),
        (torch.complex64, "C64"),
    ],
)
def test_types_are_called_what_safetensors_calls_them(save, dtype, name):
    tensor = torch.randn(4, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    path = save({"a": tensor})

    assert open_checkpoint(path).tensors["a"].dtype == name
    assert_holds(path, {"a": tensor})


def test_memory_layouts_do_not_matter(save):
    base = torch.arange(24.0).reshape(4, 6)

    assert_holds(
        save({"turned": base.T, "part": base[1:3, ::2], "base": base}),
        {"turned": base.T, "part": base[1:3, ::2], "base": base},
    )


def test_tensors_that_share_all_their_data_are_tied_and_others_are_not(save):
    base = torch.arange(24.0).reshape(4, 6)
    path = save(
        {"embed": base, "head": base, "view": base.view(4, 6), "part": base[:2], "turned": base.T, "same": base.clone()}
    )

    assert open_checkpoint(path).ties == {"head": "embed", "view": "embed"}


def test_codes_are_read_only(save):
    checkpoint = open_checkpoint(save(tensors()))

    assert_array_equal(checkpoint.codes("fc.bias"), tensors()["fc.bias"].numpy().view(np.uint32))
    assert not checkpoint.codes("fc.bias").flags.writeable


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_file_that_could_run_code_is_refused_and_runs_none(save, capsys, is_zip):
    path = save({"a": torch.ones(2, 2), "evil": Unsafe()}, _use_new_zipfile_serialization=is_zip)

    with pytest.raises(
        CheckpointError,
        match=r"model.pt: holds a pickled (builtins\.)?print, and loading that could run code; save the state dict",
    ):
        open_checkpoint(path)

    assert "it ran" not in capsys.readouterr().out


def test_a_whole_module_is_refused_with_what_to_do_instead(save):
    with pytest.raises(
        CheckpointError,
        match=r"holds a pickled torch.nn.modules.linear.Linear, .* save the state dict alone, torch.save\(model.state",
    ):
        open_checkpoint(save(torch.nn.Linear(2, 2)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.ones(2, 2), "holds a Tensor; a state dict, tensors by name, is needed"),
        ([torch.ones(2, 2)], "holds a list; a state dict, tensors by name, is needed"),
        ({"epoch": 3}, "holds no tensors by name; a state dict is needed"),
        (
            {"teacher": tensors(), "student": tensors()},
            r"holds several state dicts \(teacher, student\); `key` names the one to read",
        ),
        ({"a.b": torch.ones(2), "a": {"b": torch.ones(2)}}, "holds two tensors of one name"),
    ],
)
def test_what_is_no_state_dict_is_refused(save, content, message):
    with pytest.raises(CheckpointError, match=f"model.pt: {message}"):
        open_checkpoint(save(content))


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_file_cut_anywhere_is_refused_in_one_sentence(save, is_zip):
    path = save({"a": torch.randn(50, 50), "b": torch.ones(3)}, _use_new_zipfile_serialization=is_zip)
    content = path.read_bytes()
    messages = set()

    # One or two bytes of an archive are a text.
    for end in {0, *range(3, len(content), 41), *range(500), *range(len(content) - 70, len(content))} - {1, 2}:
        path.write_bytes(content[:end])
        with pytest.raises(CheckpointError) as caught:
            open_checkpoint(path)
        messages.add(str(caught.value))

    reason = "is cut short or damaged, as after a download that did not finish; download or save it again"
    assert messages == {f"{path}: {reason}"}


@pytest.mark.parametrize("content", [b"", b"\x80\x04", b"nothing of the kind", pickle.dumps({"a": [1.0]})])
def test_what_is_no_pytorch_file_is_refused(tmp_path, content):
    (tmp_path / "model.pt").write_bytes(content)

    with pytest.raises(CheckpointError, match=r"model.pt: "):
        open_checkpoint(tmp_path / "model.pt")


def test_a_safetensors_file_under_a_pytorch_name_is_read_as_what_it_is(write):
    path = write({"a": np.ones((2, 2))}, "model.bin")

    assert list(open_checkpoint(path).tensors) == ["a"]


def test_a_safetensors_file_whose_header_length_looks_like_a_pickle_is_one(tmp_path):
    header = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'.ljust(0x280)
    (tmp_path / "model.pt").write_bytes(len(header).to_bytes(8, "little") + header + b"x")

    assert (tmp_path / "model.pt").read_bytes()[:2] == b"\x80\x02"
    assert list(open_checkpoint(tmp_path / "model.pt").tensors) == ["a"]


def test_a_sparse_or_quantised_tensor_has_a_type_of_its_own_and_no_bytes(save):
    checkpoint = open_checkpoint(save({"a": torch.ones(2, 2), "sparse": torch.eye(3).to_sparse()}))

    assert checkpoint.tensors["sparse"].dtype == "sparse_coo float32"
    with pytest.raises(
        CheckpointError, match="tensor 'sparse' has the type sparse_coo float32, which safetensors does not have"
    ):
        checkpoint.stored("sparse")


def test_torch_is_not_imported_for_a_safetensors_file(write):
    path = write({"a": np.ones((2, 2))})
    program = "import sys, topoimp.checkpoint as c; c.open_checkpoint(sys.argv[1]); print('torch' in sys.modules)"

    assert (
        subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True).stdout
        == "False\n"
    )


@pytest.mark.parametrize("kind", ["meta", "nested"])
def test_a_tensor_without_numbers_of_its_own_has_a_type_of_its_own(save, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nested tensors are a prototype
        nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
        path = save({"a": torch.ones(2, 2), "odd": nested if kind == "nested" else torch.ones(2, 2, device="meta")})

    checkpoint = open_checkpoint(path)

    assert checkpoint.tensors["odd"].dtype == f"{kind} float32"
    assert checkpoint.stored("a").nbytes == 16


@pytest.mark.parametrize(
    ("name", "message"), [("\ud800", "which is not Unicode text"), ("__metadata__", "keeps for itself")]
)
def test_a_name_that_safetensors_cannot_hold_is_refused(save, name, message):
    with pytest.raises(CheckpointError, match=f"model.pt: names a tensor .*, {message}|{message}"):
        open_checkpoint(save({name: torch.ones(2, 2)}))


def test_a_repeated_number_does_not_become_gigabytes(save):
    path = save({"small": torch.ones(1, 4).expand(3, 4), "huge": torch.ones(1).expand(2**20, 2**20)})

    checkpoint = open_checkpoint(path)

    assert checkpoint.stored("small").tobytes() == torch.ones(3, 4).numpy().tobytes()
    with pytest.raises(CheckpointError) as caught:
        checkpoint.stored("huge")
    assert str(caught.value) == (f"{path}: tensor 'huge' repeats 4 bytes to {2**42}; at most {2**26} bytes are read so")
