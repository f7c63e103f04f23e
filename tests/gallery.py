"""The pictures of docs/pictures.md, made by the commands that it shows; `make pictures` makes them anew."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
PAGE = REPOSITORY / "docs/pictures.md"
PICTURES = REPOSITORY / "docs/pictures"
SAMPLES = REPOSITORY / "sample_checkpoints"


def linked(text):
    """The names of the pictures that a page shows, in its order."""
    return re.findall(r"!\[[^]]+\]\(pictures/([^)]+)\)", text)


def commands(text):
    """The commands of a page, in its order."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]


def value(command, option):
    """The value of an option of a command, None if it has none."""
    words = shlex.split(command)
    return words[words.index(option) + 1] if option in words else None


def without_training(commands):
    """The commands that neither train a network nor read a run folder that one of them trains."""
    runs = {value(command, "-o") for command in commands if "topoimp train " in command}
    return [command for command in commands if not runs & {word.partition("/")[0] for word in shlex.split(command)}]


def draw(commands, folder, programs):
    """Run the commands in an empty folder with the samples; return the pictures that they draw.

    Args:
        commands: as the page shows them. A picture is for the gallery if it is an .svg.
        folder: where they run.
        programs: the folder in which ``topoimp`` is.
    """
    shutil.copytree(SAMPLES, folder / "sample_checkpoints")
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    for command in commands:
        subprocess.run(  # noqa: S602  # our own page
            command, shell=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True
        )
    return sorted(folder.glob("*.svg"))


def shapes_and_numbers(path):
    """What an SVG draws, without the names of its parts, and all of its numbers."""
    text = re.sub(r"[mpDCHT][0-9a-z]*[0-9a-f]{10}", "part", path.read_text(encoding="utf-8"))
    number = r"-?\d+(?:\.\d+)?"
    return re.sub(number, "0", text), [float(found) for found in re.findall(number, text)]


def has_matplotlib_of_the_pictures():
    """Whether the pinned matplotlib is installed, which drew the pictures of the documents."""
    pinned = re.search(r"^matplotlib==(.+)$", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE)[1]
    return version("matplotlib") == pinned


def main():
    """Draw all pictures, and put them in place of the old ones."""
    with tempfile.TemporaryDirectory() as name:
        drawn = draw(commands(PAGE.read_text(encoding="utf-8")), Path(name), Path(sys.executable).parent)

        shutil.rmtree(PICTURES, ignore_errors=True)
        PICTURES.mkdir()
        for path in drawn:
            shutil.copyfile(path, PICTURES / path.name)


if __name__ == "__main__":
    main()
