"""One word per idea: the names of options, arguments, settings and documents, held against each other."""

import ast
import dataclasses
import inspect
import json
import re
from pathlib import Path

import command_reference
import pytest
from command_reference import commands, default, reference
from conftest import REPOSITORY, SAMPLES

from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.barcode import barcode_report
from topoimp.commands.bound import bound_report
from topoimp.commands.bound_options import BoundOptions
from topoimp.commands.bound_shapes import architecture_bound_report, shape_bound_report
from topoimp.commands.compare import comparison_report
from topoimp.commands.compare_over_seeds import comparison_over_seeds
from topoimp.commands.plan_pruning import plan_pruning
from topoimp.commands.plan_run import plan_run
from topoimp.commands.prune import prune_checkpoint
from topoimp.commands.prune_run import prune_run, prune_with_trainer
from topoimp.commands.tensor_list import tensor_list
from topoimp.commands.train import train_run
from topoimp.layers.records import LayerPatterns
from topoimp.programs.evaluation import parse_evaluation
from topoimp.pruning.options import PruningOptions
from topoimp.rounds.trainer import parse_trainer
from topoimp.topology.vectors import VectorSettings
from topoimp.training.recipes import Recipe

CALLS = {
    "barcode": (barcode_report, tensor_list, LayerPatterns, VectorSettings),
    "bound": (
        *(bound_report, architecture_bound_report, shape_bound_report),
        *(BoundOptions, LayerPatterns, parse_evaluation),
    ),
    "compare": (comparison_report, LayerPatterns, parse_evaluation),
    "prune": (
        *(prune_checkpoint, plan_pruning, apply_mask, prune_run, plan_run, prune_with_trainer),
        *(PruningOptions, LayerPatterns, parse_trainer, parse_evaluation),
    ),
    "train": (train_run,),
}
"""By command, the functions and option records of the library that it calls."""

OF_THE_SCREEN = {
    "barcode": {"format", "by", "quiet", "fail_if", "junit"},
    "bound": {"format", "by", "quiet", "fail_if", "junit"},
    "compare": {"format", "by", "quiet", "fail_if", "junit", "np_convention"},
    "prune": {"format", "quiet", "verbose", "fail_if", "junit"},
    "train": {"format", "quiet"},
}
"""By command, the options about printing and exit status, which no function of the library has."""

FIXED = {"barcode": {"embeddings"}, "compare": {"input_sizes"}, "prune": {"view", "input_sizes"}}
"""Fields of LayerPatterns that a command leaves no choice in: embeddings are read, and the view is of weights."""

CHOOSES_A_FUNCTION = {
    "list": tensor_list,
    "dry_run": plan_pruning,
    "apply_mask": apply_mask,
    "over_seeds": comparison_over_seeds,
}
"""Options that choose the function to call."""

SHORTENED = {"evaluate": "--eval"}
"""Options whose usual flag is a short form of their name, which is a flag too; ``eval`` is a function of Python."""

NO_OPTIONS = {"patterns", "vector_settings", "on_step", "on_wait", "n_seeds"}
"""Keyword arguments that gather several options, or that follow from others."""

PAGES = sorted([*(REPOSITORY / "docs").glob("*.md"), REPOSITORY / "README.md"])

FLAGS_OF_TRAINERS = {"--init", "--mask", "--out", "--wait"}
"""Flags of the trainers in the documents."""

FLAGS_OF_BENCHMARKS = {"--work", "--only"}
"""Flags of the scripts in benchmarks/ that the documents name."""

FLAGS_OF_MODELS = {"--length", "--local-dir"}
"""Flags of the evaluation of a model of Hugging Face, and of the program that downloads one."""

FLAGS_OF_SCHEDULERS = {"--array", "--cpus-per-task", "--requeue", "--scheduler-file", "--nthreads", "--memory-limit"}
"""Flags of SLURM and Dask."""


def flags_in(source: str) -> list[str]:
    """Return the flags of the command line that string literals of a program name."""
    texts = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    return [flag for text in texts if isinstance(text, str) for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)]


def options_of(command):
    """The options of a command, by the name of their parameter."""
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    return {option.name.rstrip("_"): option for option in options}


def has_flag_of_its_name(name, option):
    """Whether the first flag is the parameter's name, in the singular if repeatable, without the ``n_`` of a count."""
    flag = "--" + name.removeprefix("n_").replace("_", "-")
    if name in SHORTENED:
        return option.opts == [SHORTENED[name], flag]
    return option.opts[0] == flag or (option.multiple and option.opts[0] == flag.removesuffix("s"))


def keywords_of(call):
    """The keyword-only arguments of a function, or the fields of a record."""
    if dataclasses.is_dataclass(call):
        return {field.name for field in dataclasses.fields(call)}
    parameters = inspect.signature(call).parameters.values()
    return {parameter.name for parameter in parameters if parameter.kind is inspect.Parameter.KEYWORD_ONLY}


def arguments_of(call):
    """All arguments of a function, or the fields of a record."""
    return set(inspect.signature(call).parameters)


def unknown_flags(page, known):
    """The flags that a page of the documents names and no command has."""
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", page)) - known


def all_flags():
    return {word for command in commands().values() for option in command.params for word in option.opts}


def test_the_library_names_arguments_and_no_flags():
    sources = {str(path.relative_to(REPOSITORY)): path for path in (REPOSITORY / "topoimp").rglob("*.py")}

    with_flags = {name for name, path in sources.items() if flags_in(Path(path).read_text(encoding="utf-8"))}

    assert with_flags == set()


def test_a_flag_in_a_message_is_found():
    assert flags_in('raise OptionError(f"{path}: --force replaces it")') == ["--force"]


@pytest.mark.parametrize("command", commands().values(), ids=list(commands()))
def test_every_option_has_the_name_of_its_parameter(command):
    assert [name for name, option in options_of(command).items() if not has_flag_of_its_name(name, option)] == []


@pytest.mark.parametrize("name", ["convention", "landscape", "rounds_emitted"])
def test_a_parameter_of_another_name_than_its_option_is_found(name):
    options = {**options_of(commands()["barcode"]), **options_of(commands()["prune"])}

    assert not any(has_flag_of_its_name(name, option) for option in options.values() if option.name != name)


@pytest.mark.parametrize("name", CALLS)
def test_every_option_is_an_argument_of_the_library_under_the_same_name(name):
    arguments = set().union(*map(arguments_of, CALLS[name]))

    assert set(options_of(commands()[name])) - arguments - OF_THE_SCREEN[name] - set(CHOOSES_A_FUNCTION) == set()


@pytest.mark.parametrize("name", CALLS)
def test_every_keyword_of_the_library_is_an_option_under_the_same_name(name):
    keywords = set().union(*map(keywords_of, CALLS[name]))

    assert keywords - set(options_of(commands()[name])) - NO_OPTIONS - FIXED.get(name, set()) == set()


def test_an_argument_without_an_option_is_found():
    def report(path, *, convention=None):
        """Have an argument that no option is named after."""

    assert keywords_of(report) - set(options_of(commands()["barcode"])) == {"convention"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("names") / "run"
    train_run("mlp:64-16-10", output=folder, epochs=1)
    return folder


@pytest.fixture(scope="module")
def rounds(tmp_path_factory):
    """A folder of rounds whose trainer changes nothing."""
    folder = tmp_path_factory.mktemp("names") / "rounds"
    trainer = parse_trainer("sh -c 'cp $0 $2' {init} {mask} {out}")
    prune_with_trainer(LENET, PruningOptions(rounds=1), trainer=trainer, rewind="none", output=folder)
    return folder


LENET = SAMPLES / "lenet-300-100-mnist.safetensors"


@pytest.mark.parametrize(
    "arguments",
    [
        ("barcode", LENET, "--check", "--bars", "b.csv", "--curve", "c.csv", "--levels", "0.5", "--vectors", "v.npz"),
        ("barcode", LENET, "--list"),
        ("barcode", SAMPLES / "lenet-5-mnist.safetensors", "--view", "spatial", "--input-size", "conv*=28x28"),
        ("bound", LENET, "--densities", "0.5", "--null", "random"),
        ("bound", "--arch", "lenet-5", "--view", "spatial", "--data", "mnist", "--input-size", "conv1*=28x28"),
        ("bound", SAMPLES / "lenet-5-mnist.safetensors", "--view", "spatial", "--input-size", "conv*=28x28"),
        ("bound", "--shape", "3x4"),
        ("bound", LENET, "--eval", "sh -c 'echo a=1' {checkpoint}"),
        ("compare", LENET, LENET, "--null", "shuffle:2"),
        ("compare", "rounds"),
        ("compare", "rounds", "--over-seeds"),
        ("compare", LENET, "rounds"),
        ("prune", LENET, "--rounds", "1", "--dry-run", "--layer-rate", "fc1*=0.1"),
        ("prune", LENET, "--apply-mask", LENET, "-o", "out.safetensors"),
        ("prune", LENET, "--rounds", "1", "--dry-run", "--chain", "fc1,fc2"),
        ("prune", "run", "--rounds", "1"),
        ("prune", "run", "--rounds", "1", "--dry-run"),
        ("train", "mlp:64-16-10", "--epochs", "1"),
        ("train", "mlp:64-16-10", "--epochs", "0", "--watch", "np", "--watch-every", "5"),
    ],
    ids=lambda arguments: f"{arguments[0]} {arguments[-1]}",
)
def test_every_setting_in_json_has_the_name_of_its_option(topoimp, run, rounds, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    words = [{"run": run, "rounds": rounds}.get(word, word) for word in arguments]

    outcome = topoimp(*words, "--format", "json")

    names = {parameter.name.rstrip("_") for parameter in commands()[arguments[0]].params}
    of_recipe = {field.name for field in dataclasses.fields(Recipe)} if arguments[0] == "train" else set()
    assert settings_without_option(outcome.out, names | of_recipe | FIXED.get(arguments[0], set())) == set()


def settings_without_option(text, names):
    """The settings of a report in JSON that are none of these names."""
    return set(json.loads(text)["settings"]) - names


def test_a_setting_of_another_name_is_found():
    assert settings_without_option('{"settings": {"np": "rieck", "p": 2.0}}', {"np_convention", "p"}) == {"np"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_flag_that_a_document_names_exists(page):
    of_other_programs = FLAGS_OF_TRAINERS | FLAGS_OF_BENCHMARKS | FLAGS_OF_MODELS | FLAGS_OF_SCHEDULERS

    assert unknown_flags(page.read_text(encoding="utf-8"), all_flags() | {"--help"} | of_other_programs) == set()


def test_a_flag_that_does_not_exist_is_found():
    assert unknown_flags("`topoimp prune --rounds 3 --colour red`", all_flags()) == {"--colour"}


def test_the_reference_lists_every_option_as_the_help_does():
    assert (
        command_reference.PAGE.read_text(encoding="utf-8") == reference()
    )  # tests/command_reference.py writes it anew


@pytest.mark.parametrize("name", CALLS)
def test_every_option_stands_in_the_reference_of_its_command(name):
    section = reference().partition(f"## topoimp {name}\n")[2].partition("\n## ")[0]

    words = {word for option in options_of(commands()[name]).values() for word in option.opts}
    assert {word for word in words if f"`{word}`" not in section} == set()


@pytest.mark.parametrize("name", CALLS)
def test_every_help_text_is_a_sentence_and_every_option_states_its_default(name):
    options = options_of(commands()[name])

    assert [name for name, option in options.items() if not is_sentence(option.help)] == []
    assert [name for name, option in options.items() if default(option) is None] == []


def is_sentence(text):
    return bool(re.fullmatch(r"[A-Z].*\.", text))


def test_a_fragment_is_no_sentence():
    assert not is_sentence("of the simulations")
