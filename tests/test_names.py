"""One word per idea: the names of arguments, options, settings and documents, held against each other."""

import ast
import re
from pathlib import Path

from conftest import REPOSITORY


def flags_in(source: str) -> list[str]:
    """Return the flags of the command line that string literals of a program name."""
    texts = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    return [flag for text in texts if isinstance(text, str) for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)]


def test_the_library_names_arguments_and_no_flags():
    sources = {str(path.relative_to(REPOSITORY)): path for path in (REPOSITORY / "topoimp").rglob("*.py")}

    with_flags = {name for name, path in sources.items() if flags_in(Path(path).read_text(encoding="utf-8"))}

    assert with_flags == set()


def test_a_flag_in_a_message_is_found():
    assert flags_in('raise OptionError(f"{path}: --force replaces it")') == ["--force"]
