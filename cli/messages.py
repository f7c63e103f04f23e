"""Messages of the library, as a user of the command line reads them."""

import re
from collections.abc import Mapping

import typer
from typer.main import get_group


def flags_of(app: typer.Typer) -> dict[str, str]:
    """Return the flag of every option of all commands, by the name of its parameter: ``data_dir`` is ``--data-dir``."""
    parameters = [parameter for command in get_group(app).commands.values() for parameter in command.params]
    flags = {parameter.name: _long_flag(parameter.opts) for parameter in parameters}
    return {name: flag for name, flag in flags.items() if name and flag}


def with_flags(message: str, flags: Mapping[str, str]) -> str:
    """Return a message in which flags stand for the arguments that the library names in backticks.

    Text in backticks that names no argument stays as it is.

    >>> with_flags("`output_rate` is 2; layer `x` has no rate", {"output_rate": "--output-rate"})
    '--output-rate is 2; layer `x` has no rate'
    """
    return re.sub(r"`([a-z_]+)`", lambda marked: flags.get(marked[1], marked[0]), message)


def _long_flag(words: list[str]) -> str | None:
    return next((word for word in words if word.startswith("--")), None)
