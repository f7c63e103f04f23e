"""The Python of the documents runs, and prints what they say it prints."""

import re
import subprocess
import sys

import mypy.api
import pytest
from conftest import REPOSITORY

from topoimp.commands.prune_run import prune_run, prune_with_trainer
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.trainer import parse_trainer

DOCS = REPOSITORY / "docs"
README = REPOSITORY / "README.md"
OWN_LOOP = (REPOSITORY / "docs" / "own-loop.md").read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def strict_errors(folder, pages):
    """Return the errors of mypy --strict in the Python blocks of Markdown pages, one string a page."""
    for name, text in pages.items():
        (folder / f"{name}.py").write_text("\n".join(blocks(text, "python")), encoding="utf-8")

    # The settings are those of the project, whose cache then serves here too.
    checks = ["--no-error-summary"]
    config = ["--config-file", str(REPOSITORY / "pyproject.toml"), "--cache-dir", str(REPOSITORY / ".mypy_cache")]
    found, trouble, _ = mypy.api.run([*checks, *config, *(str(folder / f"{name}.py") for name in pages)])

    assert trouble == ""
    return found.splitlines()


def test_the_examples_of_the_documents_pass_strict_type_checks_and_a_wrong_one_does_not(tmp_path):
    pages = {path.stem.replace("-", "_"): path.read_text(encoding="utf-8") for path in [README, *DOCS.glob("*.md")]}
    wrong = "```python\nimport topoimp\ntopoimp.prune_checkpoint(5, topoimp.PruningOptions())\n```"

    errors = strict_errors(
        tmp_path, {name: text for name, text in pages.items() if blocks(text, "python")} | {"wrong": wrong}
    )

    assert len(errors) == 1
    assert errors[0].endswith(
        'Argument 1 to "prune_checkpoint" has incompatible type "int"; expected "str | PathLike[str]"  [arg-type]'
    )


def test_the_loop_of_ones_own_runs_and_prints_what_it_shows(tmp_path):
    code, shown = blocks(OWN_LOOP, "python"), blocks(OWN_LOOP, "text")

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(code)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout == "".join(shown)


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_every_file_that_a_page_points_to_is_there(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (DOCS / link).exists()] == []


def test_the_example_in_plain_pytorch_trains_a_run_folder(run):
    placeholders = " ".join(f"--{name} {{{name}}}" for name in ("init", "mask", "out", "seed", "started", "metrics"))
    command = parse_trainer(f"{sys.executable} {DOCS}/examples/plain_trainer.py {placeholders}")

    pruning = prune_run(run, PruningOptions(rounds=1), seeds=[0], trainer=command)

    last = pruning.report.network
    assert last["checked"].split()[-3:] == ["started", "finite", "held"]
    assert last["n_kept"] == 1184
    assert last["test_accuracy"] > 0.7


def test_the_example_with_hugging_face_trains_a_model_folder(tmp_path):
    transformers, _ = pytest.importorskip("transformers"), pytest.importorskip("accelerate")
    size = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48}
    config = transformers.BertConfig(vocab_size=30, max_position_embeddings=16, **size)
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path / "bert")
    words = "--init {init} --mask {mask} --out {out} --seed {seed} --metrics {metrics} --steps 3"
    command = parse_trainer(f"{sys.executable} {DOCS}/examples/hugging_face_trainer.py {words}")
    patterns = LayerPatterns(exclude=("*classifier*",))
    options = PruningOptions(rounds=2, patterns=patterns)

    pruning = prune_with_trainer(tmp_path / "bert", options, rewind="none", trainer=command)

    last = pruning.folders[0] / "round-02"
    assert sorted(path.name for path in last.iterdir()) == ["mask.safetensors", "metrics.json", "model"]
    assert pruning.report.network["round_barcode_kept"]
    assert pruning.report.network["test_loss"] > 0
    assert transformers.AutoModelForSequenceClassification.from_pretrained(last / "model").config.hidden_size == 32
