"""The reference of the commands, docs/commands.md, from their help; `python tests/command_reference.py` writes it."""

import inspect
from enum import EnumType
from pathlib import Path

from typer.main import get_group

from topoimp_cli.app import app

PAGE = Path(__file__).parent.parent / "docs/commands.md"

INTRODUCTION = """# Commands

Every option of every command, as `topoimp COMMAND --help` lists them. This page is made from the help: `python
tests/command_reference.py` writes it anew.
"""


def commands():
    """The commands by name, with their parameters."""
    return get_group(app).commands


def values(parameter):
    """The placeholder of a parameter's value, or the words to choose from; nothing for a switch."""
    words = parameter.type_descriptor.annotation
    if parameter.metavar:
        return parameter.metavar
    return "|".join(words) if isinstance(words, EnumType) else ""


def default(parameter):
    """The default of an option as the help shows it; an option without one that is shown has None."""
    if isinstance(parameter.show_default, str):
        return parameter.show_default
    if parameter.is_bool_flag:
        return "off"
    return None if parameter.default is None else str(parameter.default)


def line(parameter):
    """The line of the table about one option."""
    words = f"{', '.join(f'`{word}`' for word in parameter.opts)} {values(parameter)}".strip()
    cells = [cell.replace("|", "&#124;") for cell in (words, parameter.help, str(default(parameter)))]
    return f"| {' | '.join(cells)} |"


def section(name, command):
    """The part of the page about one command."""
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    return "\n".join(
        [
            f"\n## topoimp {name}\n",
            inspect.cleandoc(command.help) + "\n",
            *(f"- `{argument.metavar}`: {argument.help}" for argument in arguments),
            "\n| option | meaning | default |\n| --- | --- | --- |",
            *map(line, options),
            f"\n{command.epilog.replace('Example: ', 'Example: `')}`\n",
        ]
    )


def reference():
    """The whole page."""
    return INTRODUCTION + "".join(section(name, command) for name, command in commands().items())


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
