"""The words of a user's command: a text as for a shell in, words with placeholders out, and these filled in.

A placeholder is a name in braces, as in ``{init}``. Doubled braces escape it: ``{{init}}`` is the text ``{init}``.
Other braces stay as they are.
"""

import re
import shlex
from collections.abc import Mapping, Sequence

from topoimp.errors import OptionError

_PLACEHOLDER = re.compile(r"\{\{(?P<literal>\w+)\}\}|\{(?P<name>\w+)\}")


def parse_words(text: str, argument: str, *, known: Sequence[str], required: Sequence[str]) -> tuple[str, ...]:
    """Return the words of a command, split as a shell would.

    Args:
        text: words, quotes and placeholders.
        argument: the argument that has the command, for messages.
        known: the placeholders that it may have.
        required: the placeholders that it must have.

    Raises:
        OptionError: if it is no command, lacks a placeholder, or has an unknown one.

    >>> parse_words("test 'my data' {model}", "command", known=["model"], required=["model"])
    ('test', 'my data', '{model}')
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise OptionError(f"`{argument}` is {text!r}; it must be a command: {error}") from error

    found = {name for word in words for each in _PLACEHOLDER.finditer(word) if (name := each["name"])}
    unknown = sorted(found - set(known))
    if unknown:
        first = unknown[0]
        names = ", ".join(f"{{{name}}}" for name in known)
        are = "known are" if len(known) > 1 else "known is"
        raise OptionError(f"`{argument}` has {{{first}}}; {are} {names}, and {{{{{first}}}}} is the text itself")
    for name in required:
        if name not in found:
            raise OptionError(f"`{argument}` is {text!r}; it must have {{{name}}} where the command takes it")
    return words


def filled_in(word: str, values: Mapping[str, str]) -> str:
    """Return a word with values in place of ``{name}``, and with ``{name}`` in place of ``{{name}}``.

    A value is never split into several words, so a path keeps its spaces.

    >>> filled_in("file={model}", {"model": "my model"}), filled_in("{{model}}", {})
    ('file=my model', '{model}')
    """
    return _PLACEHOLDER.sub(lambda found: values[found["name"]] if found["name"] else f"{{{found['literal']}}}", word)
