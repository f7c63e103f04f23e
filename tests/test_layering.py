"""Imports only go down: a file imports from its own folder, without a circle, and from the folders above it."""

import ast
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter

import pytest
from conftest import REPOSITORY

HOUSE = (
    "errors",
    "choices",
    "arrays",
    "sources",
    "kernels",
    "stores",
    "checkpoint",
    "layers",
    "engine",
    "topology",
    "network",
    "pruning",
    "writing",
    "reports",
    "chance",
    "comparison",
    "torch_modules",
    "architectures",
    "data",
    "training",
    "programs",
    "rounds",
    "plots",
    "pages",
    "commands",
    "public",
)
"""The folders of the library, and the files beside them, from top to bottom."""

OUTSIDE = ("typer", "rich", "topoimp_cli", "cli")
"""The library neither prints nor knows the command line."""


def library_files(library):
    """All but what stands above the house: the public names, and ``python -m topoimp``, which is the command line."""
    return sorted({*library.rglob("*.py")} - {library / "__init__.py", library / "__main__.py"})


def module_of(path, library):
    parts = path.relative_to(library).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def folder_of(module):
    return module.partition(".")[0]


def imports_by_module(library):
    """By module, the modules of the library that it imports, folders' own names included."""
    return {
        module_of(path, library): {
            name.removeprefix("topoimp.") for name in imports_of(path) if name.startswith("topoimp.")
        }
        for path in library_files(library)
    }


def imports_upward(library, house=HOUSE):
    """Each import that runs up the house, or leaves the library for the command line, as a sentence."""
    for path in library_files(library):
        module = module_of(path, library)
        yield from (f"{module} imports {name}" for name in imports_of(path) if folder_of(name) in OUTSIDE)
    for module, imported in imports_by_module(library).items():
        own = house.index(folder_of(module))
        for name in sorted(imported):
            if folder_of(name) in house and house.index(folder_of(name)) > own:
                yield f"{module} imports {name}, which stands below it"


def circles(library):
    """Each circle of imports within a folder; a folder's __init__ counts as a file of its own."""
    modules = imports_by_module(library)
    by_folder = defaultdict(dict)
    for module, imported in modules.items():
        inside = {name for name in imported if name in modules and folder_of(name) == folder_of(module)}
        by_folder[folder_of(module)][module] = inside - {module}
    for graph in by_folder.values():
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            yield error.args[1]


def without_a_place(library, house=HOUSE):
    """Each folder or file at the root of the library that the house does not list, and each that it lists in vain."""
    return {folder_of(module_of(path, library)) for path in library_files(library)} ^ set(house)


def contracts(library):
    """By folder, the first line of its __init__."""
    files = library.glob("*/__init__.py")
    return {path.parent.name: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) for path in files}


def test_every_folder_of_the_library_has_a_place_in_the_house():
    assert without_a_place(REPOSITORY / "topoimp") == set()


def test_imports_only_go_down():
    assert list(imports_upward(REPOSITORY / "topoimp")) == []


def test_no_folder_holds_a_circle_of_imports():
    assert list(circles(REPOSITORY / "topoimp")) == []


def test_every_folder_opens_with_its_contract():
    folders = {path.parent.name for path in (REPOSITORY / "topoimp").glob("*/*.py")}

    assert {name for name, contract in contracts(REPOSITORY / "topoimp").items() if contract} == folders


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("from topoimp.topology.forest import Forest", "layers.layer imports topology.forest, which stands below it"),
        ("def f():\n    import topoimp.rounds.loop", "layers.layer imports rounds.loop, which stands below it"),
        ("from topoimp import commands", "layers.layer imports commands, which stands below it"),
        ("import rich.table", "layers.layer imports rich.table"),
        ("from topoimp_cli.app import main", "layers.layer imports topoimp_cli.app"),
    ],
)
def test_the_guard_sees_an_import_that_goes_up(tmp_path, line, complaint):
    (tmp_path / "layers").mkdir()
    (tmp_path / "layers/layer.py").write_text(line)

    assert complaint in list(imports_upward(tmp_path))


def test_the_guard_sees_a_circle(tmp_path):
    (tmp_path / "layers").mkdir()
    (tmp_path / "layers/layer.py").write_text("from topoimp.layers.records import Layers")
    (tmp_path / "layers/records.py").write_text("from topoimp.layers.layer import Layer")

    assert [set(circle) for circle in circles(tmp_path)] == [{"layers.layer", "layers.records"}]


def test_the_guard_sees_a_file_without_a_place(tmp_path):
    (tmp_path / "errors.py").touch()
    (tmp_path / "surprise.py").touch()

    assert without_a_place(tmp_path, ("errors",)) == {"surprise"}
