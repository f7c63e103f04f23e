"""Imports only go down: a file imports only from those that stand above it in this list."""

import ast

import pytest
from conftest import REPOSITORY

ORDER = (
    "errors",
    "arrays",
    "choices",
    "report",
    "gates",
    "number_format",
    "checkpoint.header",
    "checkpoint.safetensors_file",
    "checkpoint.torch_file",
    "checkpoint.index",
    "checkpoint.finding",
    "checkpoint.reading",
    "checkpoint.in_memory",
    "checkpoint.exchange",
    "checkpoint.staging",
    "checkpoint.writing",
    "checkpoint",
    "layers",
    "catalogue",
    "threads",
    "streaming",
    "compilation.calling",
    "compilation.cache",
    "compilation.loading",
    "compilation.compiling",
    "compilation.kernel",
    "compilation",
    "kernels",
    "kernels.forests",
    "kernels.counting",
    "kernels.pruning",
    "kernels.alignment",
    "kernels.comparing",
    "sample",
    "forest",
    "certificate",
    "barcode",
    "summaries",
    "betti",
    "npz_file",
    "bars",
    "vectors",
    "recomputing",
    "alignment",
    "distance",
    "agreement",
    "selection",
    "ranking",
    "bounds",
    "spatial",
    "chance.nulls",
    "chance.drawing",
    "chance.shuffling",
    "chance.betti",
    "chance.simulation",
    "chance.excess",
    "schedule",
    "pruning",
    "chance.kept_edges",
    "chance",
    "mask",
    "outputs",
    "pruned_copy",
    "preservation",
    "rewinding",
    "sweeping",
    "comparison",
    "verification",
    "columns",
    "modules.round_masks",
    "modules.weights",
    "modules.masks",
    "modules.pruner",
    "modules.pruning",
    "modules.rewinding",
    "modules.holding",
    "modules.topological_method",
    "modules.torch_pruning",
    "modules",
    "architectures.parts",
    "architectures.architecture",
    "architectures.plain",
    "architectures.convolutional",
    "architectures.residual",
    "architectures.parsing",
    "architectures",
    "data.images",
    "data.folders",
    "data.digits",
    "data.idx",
    "data.cifar_pickle",
    "data.cifar",
    "data.npz",
    "data.hub",
    "data.loading",
    "data",
    "training.recipes",
    "run_folder",
    "others",
    "replicates",
    "rounds.assignment",
    "rounds.trainer",
    "training.models",
    "training.learning_rates",
    "training.batches",
    "training.torch_settings",
    "training.loop",
    "training",
    "rounds.built_in_trainer",
    "rounds.checks",
    "rounds.facts",
    "rounds.loop",
    "rounds.planning",
    "rounds.seed",
    "rounds.table",
    "rounds",
    "commands.barcode_files",
    "commands.barcode_rows",
    "commands.barcode",
    "commands.bound_rows",
    "commands.bound",
    "commands.job",
    "commands.apply_mask",
    "commands.asked",
    "commands.prune",
    "commands.plan",
    "commands.compare",
    "commands.train",
    "commands.prune_run",
    "commands.plan_run",
    "commands",
    "public",
)


def library_files(folder):
    return sorted(path for path in folder.rglob("*.py") if path != folder / "__init__.py")


def module_of(path, folder):
    parts = path.relative_to(folder).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def broken_rules(folder, order):
    """Each import that runs upward, or leaves the library for the command line, as a sentence."""
    for path in library_files(folder):
        module = module_of(path, folder)
        for imported in imports_of(path):
            root, _, name = imported.partition(".")
            if root in ("typer", "rich", "topoimp_cli", "cli"):
                yield f"{module} imports {imported}"
            elif root == "topoimp" and name in order and order.index(name) >= order.index(module):
                yield f"{module} imports {name}, which stands below it"


def modules_without_a_place(folder, order):
    return [module_of(path, folder) for path in library_files(folder) if module_of(path, folder) not in order]


def test_every_file_of_the_library_has_a_place_in_the_order():
    assert modules_without_a_place(REPOSITORY / "topoimp", ORDER) == []


def test_imports_only_go_down():
    assert list(broken_rules(REPOSITORY / "topoimp", ORDER)) == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("from topoimp.forest import Forest", "errors imports forest, which stands below it"),
        ("def f():\n    import topoimp.sweeping", "errors imports sweeping, which stands below it"),
        ("from topoimp import barcode", "errors imports barcode, which stands below it"),
        ("import rich.table", "errors imports rich.table"),
        ("from topoimp_cli.app import main", "errors imports topoimp_cli.app"),
    ],
)
def test_the_guard_sees_an_import_that_goes_up(tmp_path, line, complaint):
    (tmp_path / "errors.py").write_text(line)

    assert complaint in list(broken_rules(tmp_path, ORDER))


def test_the_guard_sees_a_file_without_a_place(tmp_path):
    (tmp_path / "surprise.py").touch()

    assert modules_without_a_place(tmp_path, ORDER) == ["surprise"]
