"""docs/pictures.md has every figure, and every picture of it is what the command beside it draws."""

import importlib
import pkgutil
import re

import pytest
from gallery import (
    PAGE,
    PICTURES,
    commands,
    draw,
    has_matplotlib_of_the_pictures,
    linked,
    shapes_and_numbers,
    value,
    without_training,
)

import topoimp.commands

TEXT = PAGE.read_text(encoding="utf-8")


def figures():
    """The names of the figures of all commands."""
    modules = [
        importlib.import_module(f"topoimp.commands.{module.name}")
        for module in pkgutil.iter_modules(topoimp.commands.__path__)
        if module.name.endswith("_pictures")
    ]
    return {name for module in modules for name in module.FIGURES}


def plotted(text):
    """The files that the commands of a page draw, in its order."""
    return [path for command in commands(text) if (path := value(command, "--plot"))]


def test_every_figure_is_in_the_gallery():
    shown = {name.removesuffix(".svg") for name in linked(TEXT)}

    assert "barcode" in figures()
    assert shown == figures()


def test_every_picture_is_drawn_by_a_command_of_its_section_and_lies_in_the_folder():
    sections = re.split(r"^## ", TEXT, flags=re.MULTILINE)

    assert [plotted(section) for section in sections] == [linked(section) for section in sections]
    assert sorted(linked(TEXT)) == sorted(path.name for path in PICTURES.iterdir())


def test_commands_go_on_after_a_backslash_and_those_after_training_are_known():
    text = (
        "```sh\ntopoimp train mlp:64-9-10 \\\n  -o run\ntopoimp prune run --plot rounds.svg\n```\n"
        "words\n```sh\ntopoimp barcode 'a run' --plot a.svg\n```\n"
    )

    assert len(commands(text)) == 3
    assert plotted(text) == ["rounds.svg", "a.svg"]
    assert without_training(commands(text)) == ["topoimp barcode 'a run' --plot a.svg"]


def test_the_commands_draw_the_pictures_of_the_gallery(forks, tmp_path):
    if not has_matplotlib_of_the_pictures():
        pytest.skip("the pictures are those of the pinned matplotlib")
    quick = without_training(commands(TEXT))

    drawn = draw(quick, tmp_path, forks.programs)

    assert len(drawn) >= 7
    for path in drawn:
        (shapes, numbers), (shown, expected) = shapes_and_numbers(path), shapes_and_numbers(PICTURES / path.name)
        assert shapes == shown, path.name
        assert numbers == pytest.approx(expected, abs=0.01), path.name  # another processor may round otherwise
