"""docs/pruning-a-model.md and docs/scores.md are true: their commands print what they show, on a model made here."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_llama
from conftest import REPOSITORY, without_compiling
from safetensors.numpy import load_file
from safetensors.torch import save_file
from test_readme import sessions, squeezed

from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import OptionError
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions
from topoimp.torch_modules.activation_norms import activation_norms

DOCS = REPOSITORY / "docs"
STEPS = (DOCS / "pruning-a-model.md").read_text(encoding="utf-8")
SCORES = (DOCS / "scores.md").read_text(encoding="utf-8")
(NORMS,) = re.findall(r"```python\n(.*?)```", SCORES, re.DOTALL)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with the model and the texts, and with the scripts of the pages."""
    folder = tmp_path_factory.mktemp("made")
    small_llama.write_texts(folder)
    small_llama.write_model(folder)
    (folder / "norms.py").write_text(NORMS, encoding="utf-8")
    shutil.copy(DOCS / "examples/hugging_face_evaluation.py", folder)
    return folder


@pytest.fixture
def run_in_shell(made, forks, tmp_path):
    """Run a command in a copy of the folder."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    programs = [str(forks.programs), str(Path(sys.executable).parent), os.environ["PATH"]]

    def run(command):
        done = subprocess.run(  # noqa: S602  # ours
            command,
            shell=True,
            cwd=tmp_path,
            env={**os.environ, "PATH": os.pathsep.join(programs)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return squeezed(without_compiling(done.stdout))

    return run


def test_the_commands_of_a_pruning_print_what_the_page_shows_and_leave_the_model_as_it_was(
    run_in_shell, made, tmp_path
):
    for command, output in sessions(STEPS):
        if command.startswith("rm "):
            shutil.copytree(tmp_path / "my-model.pruned", tmp_path / "removed")

        assert run_in_shell(command) == squeezed(output)

    removed, again = (load_file(tmp_path / name / "model.safetensors") for name in ("removed", "again"))
    assert all(np.array_equal(removed[name], again[name]) for name in removed)
    for path in (made / "my-model").iterdir():
        assert (tmp_path / "my-model" / path.name).read_bytes() == path.read_bytes()


def test_the_commands_with_scores_print_what_the_page_shows(run_in_shell):
    for command, output in sessions(SCORES):
        assert run_in_shell(command) == squeezed(output)


def test_outputs_that_are_columns_compete_among_themselves(tmp_path):
    import torch
    import transformers

    size = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 32, "vocab_size": 20}
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**size, bos_token_id=0, eos_token_id=0))
    norms = activation_norms(model, [{"input_ids": torch.arange(20)[None]}])
    model.save_pretrained(tmp_path / "my-gpt2")
    save_file(norms, tmp_path / "norms.safetensors")
    pattern = re.search(r"--output-columns '(.*)'", SCORES)[1]
    options = PruningOptions(sparsity=0.5, scope="row", method="magnitude", output_columns=[pattern])

    pruned = prune_checkpoint(tmp_path / "my-gpt2", options, scores=tmp_path / "norms.safetensors")

    masks = read_masks(pruned.outputs.mask)
    assert len(masks) == 4
    for name, mask in masks.items():
        scores = (model.get_parameter(name).detach().double().abs() * norms[name].double()).numpy()
        smallest_kept = np.sort(scores, axis=0)[len(scores) // 2]
        assert np.array_equal(mask.kept(), scores >= smallest_kept)


@pytest.mark.parametrize(
    "method", re.findall(r"`([\w-]+)`", re.search(r"by another number: (.*?)\n- ", SCORES, re.DOTALL)[1])
)
def test_a_method_that_goes_by_another_number_has_no_scores(lenet, method):
    chain = ["fc1", "fc2", "fc3"] if method in ("paths", "synflow-l2") else None

    with pytest.raises(OptionError, match=r"`scores` are strengths, and the method .* does not go by strength"):
        prune_checkpoint(lenet, PruningOptions(sparsity=0.5, method=method), scores=lenet, chain=chain)
