from hypothesis import given
from hypothesis import strategies as st

from topoimp.reports.annotations import annotation


def read_by_runner(line):
    """The properties and the message of a workflow command, as GitHub's runner reads a line of a log."""
    assert line.startswith("::")
    command, _, data = line[2:].partition("::")
    name, _, properties = command.partition(" ")
    values = dict(each.split("=", 1) for each in properties.split(","))
    return name, {key: unescaped(value, PROPERTY) for key, value in values.items()}, unescaped(data, DATA)


DATA = (("%0D", "\r"), ("%0A", "\n"))
PROPERTY = (*DATA, ("%3A", ":"), ("%2C", ","))


def unescaped(text, escapes):
    for escape, sign in (*escapes, ("%25", "%")):
        text = text.replace(escape, sign)
    return text


@given(st.text(), st.text())
def test_the_runner_reads_what_was_meant(title, message):
    line = annotation(title, message)

    assert read_by_runner(line) == ("error", {"title": title}, message)


@given(st.text(), st.text())
def test_it_is_one_line(title, message):
    assert not {"\r", "\n"} & set(annotation(title, message))


def test_the_escapes_of_titles_and_messages():
    line = annotation("a: 1,2%\n", "::stop-commands::x, 50%\r\nlast")

    assert line == "::error title=a%3A 1%2C2%25%0A::::stop-commands::x, 50%25%0D%0Alast"
