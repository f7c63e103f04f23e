"""docs/eval.md is true: its script evaluates, its commands print what it shows, and so does its Python."""

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY, SAMPLES, without_compiling
from test_readme import sessions, squeezed

from topoimp.commands.prune import prune_checkpoint
from topoimp.programs.evaluation import parse_evaluation
from topoimp.pruning.options import PruningOptions

PAGE = (REPOSITORY / "docs/eval.md").read_text(encoding="utf-8")
SCRIPT, PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    """A folder with the sample and the script of the page."""
    (tmp_path / "mlp-digits.safetensors").write_bytes((SAMPLES / "mlp-digits.safetensors").read_bytes())
    (tmp_path / "evaluate.py").write_text(SCRIPT, encoding="utf-8")
    return tmp_path


@pytest.fixture
def environment(forks):
    """The variables of a process that finds topoimp, and this Python, on its PATH."""
    programs = [str(forks.programs), str(Path(sys.executable).parent), os.environ["PATH"]]
    return {**os.environ, "PATH": os.pathsep.join(programs)}


def test_the_commands_of_the_page_print_what_it_shows(folder, environment):
    shown = list(sessions(PAGE))

    assert [re.findall(r"topoimp (\w+)", command) for command, _ in shown] == [["prune"], ["bound"], ["compare"]]
    for command, output in shown:
        done = subprocess.run(  # noqa: S602  # ours
            command,
            shell=True,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert squeezed(without_compiling(done.stdout)) == squeezed(output)


def test_the_python_of_the_page_prints_what_it_shows(folder, environment):
    (output,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PYTHON],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stderr, done.stdout) == ("", output)


def test_the_command_with_a_shell_gets_paths_with_spaces(tmp_path):
    quoted = re.search(r'--eval "(sh -c .*)"\n', PAGE)[1]
    text = re.sub(r"\\(.)", r"\1", quoted).replace("module load cuda && python evaluate.py", "cat")
    path = tmp_path / "my model"
    path.write_text("a=1")

    evaluation = parse_evaluation(text)

    assert evaluation.words == ("sh", "-c", 'cat "$1"', "sh", "{checkpoint}")
    assert evaluation.values(path) == {"a": 1}


def test_the_example_evaluates_a_model_of_hugging_face_and_its_pruned_copy(tmp_path):
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "the", "dog"]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys([*words, "[UNK]"]))}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"))  # noqa: S106  # a word
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    size = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 32, "vocab_size": len(vocabulary)}
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**size, bos_token_id=0, eos_token_id=0))
    model.save_pretrained(tmp_path / "my-model")
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")  # noqa: S106  # a word
    fast.save_pretrained(tmp_path / "my-model")
    (tmp_path / "held-out.txt").write_text(" ".join(words))
    script = REPOSITORY / "docs/examples/hugging_face_evaluation.py"
    command = f"{sys.executable} {script} {{checkpoint}} {tmp_path}/held-out.txt"

    report = prune_checkpoint(
        tmp_path / "my-model", PruningOptions(sparsity=0.5, rounds=1), evaluate=parse_evaluation(command)
    ).report

    network = report.network
    tokens = fast(" ".join(words), return_tensors="pt").input_ids
    loss = model.eval()(tokens, labels=tokens).loss.item()
    assert network["eval_loss_reference"] == pytest.approx(loss, rel=1e-5)
    assert network["eval_perplexity"] == pytest.approx(math.exp(network["eval_loss"]))
    assert network["eval_loss"] != network["eval_loss_reference"]
