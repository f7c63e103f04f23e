"""Help as plain text: options in the groups of the source, every word whole, each command with its whole sentence.

Typer's own help gives a third of the width to borders and types, breaks the words of choices, and shortens the
sentences about commands.
"""

import inspect
import re
import shutil
import textwrap
from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperGroup

WIDEST = 100
"""Columns that help fills at most, however wide the terminal is."""

_NAMES = 28
"""Columns for the names of options, at most a third of all; longer names have a line of their own."""

Context = Any
"""The context of a call; its class belongs to the copy of click that typer does not export."""


class HelpCommand(TyperCommand):
    """A command with help as plain text."""

    def get_help(self, ctx: Context) -> str:
        """Return the help: usage, description, arguments, options by group, and the epilog."""
        arguments = [param for param in self.get_params(ctx) if param.param_type_name == "argument"]
        pieces = [_usage_of(argument) for argument in arguments]
        sections = [_section("Arguments", [(_metavar(each), _help_of(each, ctx)[1]) for each in arguments])]
        by_panel: dict[str, list[tuple[str, str]]] = {"Options": []}
        for param in self.get_params(ctx):
            if param.param_type_name == "option" and not getattr(param, "hidden", False):
                panel = getattr(param, "rich_help_panel", None) or "Options"
                by_panel.setdefault(panel, []).append(_help_of(param, ctx))
        sections += [_section(panel, options) for panel, options in by_panel.items()]

        usage = " ".join(["Usage:", ctx.command_path, "[OPTIONS]", *pieces])
        epilog = [f"  {self.epilog}"] if self.epilog else []  # a command to copy, in one line
        return "\n\n".join([usage, _filled(self.help or ""), *filter(None, sections), *epilog])


class HelpGroup(TyperGroup):
    """The program, with help as plain text."""

    def get_help(self, ctx: Context) -> str:
        """Return the help: usage, description, options and commands."""
        options = [_help_of(param, ctx) for param in self.get_params(ctx)]
        commands = [(name, _first_paragraph(command.help or "")) for name, command in self.commands.items()]
        usage = f"Usage: {ctx.command_path} [OPTIONS] COMMAND [ARGS]..."
        sections = [_section("Options", options), _section("Commands", commands)]
        return "\n\n".join([usage, _filled(self.help or ""), *sections])


def _help_of(param: Any, ctx: Context) -> tuple[str, str]:  # a parameter of click, as ``Context``
    """Return the names of a parameter with its metavar, and its help with its default."""
    names, text = param.get_help_record(ctx) or ("", "")
    return names, re.sub(r"\[default: \((.*)\)\]$", r"[default: \1]", " ".join(text.split()))


def _metavar(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _usage_of(argument: Any) -> str:
    """Return an argument as the usage line has it: in brackets if it is optional, with dots if it can be repeated."""
    metavar = _metavar(argument)
    repeated = metavar if argument.nargs == 1 or metavar.endswith("...") else f"{metavar}..."
    return repeated if argument.required else f"[{repeated}]"


def _section(title: str, records: Iterable[tuple[str, str]]) -> str:
    """Return a titled list of names and their help; empty without any."""
    lines = [line for names, text in records for line in _entry(names, text)]
    return "\n".join([f"{title}:", *lines]) if lines else ""


def _entry(names: str, text: str) -> list[str]:
    """Return the lines of one parameter: its help stands beside its names, or below them if they are long."""
    n_columns = min(_NAMES, _width() // 3)
    indent = " " * (n_columns + 4)
    lines = textwrap.wrap(text, _width(), initial_indent=indent, subsequent_indent=indent, **_WHOLE_WORDS)
    if len(names) > n_columns or not lines:
        return [f"  {names}", *lines]
    return [f"  {names:{n_columns}}  {lines[0].strip()}", *lines[1:]]


_WHOLE_WORDS: Any = {"break_long_words": False, "break_on_hyphens": False}


def _filled(text: str) -> str:
    """Return the paragraphs of a text, each filled and indented by two; an indented paragraph keeps its lines."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(
        textwrap.indent(paragraph, "  ")
        if paragraph.startswith(" ")
        else textwrap.fill(
            " ".join(paragraph.split()), _width(), initial_indent="  ", subsequent_indent="  ", **_WHOLE_WORDS
        )
        for paragraph in paragraphs
    )


def _first_paragraph(text: str) -> str:
    return " ".join(inspect.cleandoc(text).split("\n\n")[0].split())


def _width() -> int:
    return min(shutil.get_terminal_size().columns, WIDEST)
