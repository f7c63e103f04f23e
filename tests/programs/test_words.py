import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topoimp.errors import OptionError
from topoimp.programs.words import filled_in, parse_words


@given(st.lists(st.text(st.characters(exclude_characters="{}")), max_size=4), st.text())
def test_a_path_stays_one_word_whatever_it_holds(words, path):
    parsed = parse_words(shlex.join([*words, "{checkpoint}"]), "command", known=["checkpoint"], required=["checkpoint"])

    assert [filled_in(word, {"checkpoint": path}) for word in parsed] == [*words, path]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("run", r"`command` is 'run'; it must have \{model\} where the command takes it"),
        ("run {{model}}", r"it must have \{model\} where the command takes it"),
        ("run {model} {seed}", r"`command` has \{seed\}; known is \{model\}, and \{\{seed\}\} is the text itself"),
        ("run '{model}", "it must be a command: No closing quotation"),
    ],
)
def test_what_is_no_command_is_refused(text, message):
    with pytest.raises(OptionError, match=message):
        parse_words(text, "command", known=["model"], required=["model"])
