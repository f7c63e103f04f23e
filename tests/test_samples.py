"""The sample checkpoints are what their table says."""

import hashlib
import re

import pytest
from conftest import SAMPLES
from safetensors.numpy import load_file

TABLE = (SAMPLES / "README.md").read_text(encoding="utf-8")
ROWS = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in TABLE.splitlines() if ".safetensors |" in line]
FILES = {row[0]: row for row in ROWS}


def test_the_table_lists_every_file_and_no_other():
    assert sorted(FILES) == sorted(path.name for path in SAMPLES.glob("*.safetensors"))


@pytest.mark.parametrize("name", FILES)
def test_size_checksum_and_parameters_are_those_of_the_table(name):
    content = (SAMPLES / name).read_bytes()
    _, _, _, n_parameters, _, n_bytes, sha256, _ = FILES[name]

    assert len(content) == int(n_bytes.replace(",", "")) < 2_000_000
    assert hashlib.sha256(content).hexdigest() == sha256
    assert sum(array.size for array in load_file(SAMPLES / name).values()) == int(n_parameters.replace(",", ""))


@pytest.mark.parametrize(
    ("name", "least"), [("lenet-300-100-mnist.safetensors", 97.5), ("lenet-5-mnist.safetensors", 98.5)]
)
def test_accuracies_are_high_enough(name, least):
    assert float(FILES[name][4].removesuffix(" %")) >= least


def accuracy_of(name, data, folder=None):
    import torch

    from topoimp.architectures import parse_architecture
    from topoimp.data import load_images
    from topoimp.training.models import build_network

    images = load_images(data, folder)
    model = re.search(r"topoimp train (\S+)", FILES[name][7]).group(1)
    network = build_network(parse_architecture(model, image=images.image), seed=0)
    network.load_state_dict({key: torch.from_numpy(array) for key, array in load_file(SAMPLES / name).items()})
    with torch.no_grad():
        found = network(torch.from_numpy(images.test_images)).argmax(1).numpy()
    return 100 * float((found == images.test_labels).mean())


def test_the_digits_sample_has_the_accuracy_of_the_table():
    stated = float(FILES["mlp-digits.safetensors"][4].removesuffix(" %"))

    assert accuracy_of("mlp-digits.safetensors", "digits") == pytest.approx(stated, abs=0.3)


@pytest.mark.parametrize("name", [name for name, row in FILES.items() if row[2] == "mnist"])
def test_the_mnist_samples_have_the_accuracy_of_the_table(name):
    from conftest import SHARED

    if not (SHARED / "datasets/mnist").is_dir():
        pytest.skip("the published files of MNIST are not beside the project")

    assert accuracy_of(name, "mnist", SHARED / "datasets/mnist") == pytest.approx(
        float(FILES[name][4].removesuffix(" %")), abs=0.05
    )
