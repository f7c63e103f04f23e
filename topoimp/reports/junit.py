"""JUnit XML: the results of gates as a test suite, which CI systems show row by row.

A command is one test suite. Each gate at each row is a test case: it fails where the gate fires, and the message has
the value found. A checkpoint that cannot be used is a test case with an error. There are no times, dates or host names,
so that the same results give the same bytes.

Source: the format has no standard; this is what jenkins-junit.xsd (junit-team/junit5) and junit-10.xsd
(jenkinsci/xunit-plugin) allow, and GitLab reads: suites and cases with names, cases with class names.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from topoimp.checkpoint import Staging
from topoimp.errors import OptionError, OutputError, TopoimpError
from topoimp.reports.gates import GateResult

SUFFIX = ".xml"

_START = b"<?xml version='1.0' encoding='UTF-8'?>\n<testsuites name=\"topoimp\""
"""The first bytes of a file that topoimp wrote, which it replaces without being told to."""

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""A character that no XML document may have, not even escaped."""


def check_junit(path: Path) -> None:
    """Check that a JUnit file can be written, before anything is computed.

    Raises:
        OptionError: if its name does not end in .xml.
        OutputError: if it is a link, exists and was not written by topoimp, or cannot be written.
    """
    if path.suffix != SUFFIX:
        raise OptionError(f"`junit` is {path}; its name must end in {SUFFIX}")
    with _staging(path):
        pass


def write_junit(
    path: Path, command: str, results: Sequence[GateResult], errors: Sequence[tuple[str, TopoimpError]] = ()
) -> None:
    """Write the results of a command's gates, whole or not at all; an earlier JUnit file of topoimp is replaced.

    Args:
        path: the file; its name ends in .xml.
        command: the command's name.
        results: the gates at each row.
        errors: the subjects that could not be looked at, such as paths of checkpoints, and their errors.

    Raises:
        OptionError, OutputError: as ``check_junit``.
    """
    with _staging(path) as staging:
        staging.partial(path).write_bytes(junit_xml(command, results, errors))
        staging.commit()


def junit_xml(command: str, results: Sequence[GateResult], errors: Sequence[tuple[str, TopoimpError]] = ()) -> bytes:
    """Return the test suite of a command, in UTF-8; the arguments are those of ``write_junit``.

    >>> from topoimp.reports.gates import gate_results, parse_gate
    >>> results = gate_results([parse_gate("tau<1")], [{"level": "network", "tau": 1.5}])
    >>> print(junit_xml("bound", results).decode(), end="")
    <?xml version='1.0' encoding='UTF-8'?>
    <testsuites name="topoimp" tests="1" failures="0" errors="0" time="0">
      <testsuite name="topoimp bound" tests="1" failures="0" errors="0" skipped="0" time="0">
        <testcase classname="topoimp.bound" name="the network: tau&lt;1" time="0" />
      </testsuite>
    </testsuites>
    """
    from xml.etree import ElementTree  # only needed here

    n_fired = sum(result.fires for result in results)
    counts = {"tests": len(results) + len(errors), "failures": n_fired, "errors": len(errors)}
    root = ElementTree.Element("testsuites", _attributes({"name": "topoimp", **counts, "time": 0}))
    suite_counts = {**counts, "skipped": 0, "time": 0}
    suite = ElementTree.SubElement(root, "testsuite", _attributes({"name": f"topoimp {command}", **suite_counts}))

    def add_case(name: str, problem: str | None = None, message: str = "", kind: str = "") -> None:
        case = ElementTree.SubElement(
            suite, "testcase", _attributes({"classname": f"topoimp.{command}", "name": name, "time": 0})
        )
        if problem is not None:  # some systems show the attribute, others the text
            found = ElementTree.SubElement(case, problem, _attributes({"message": message, "type": kind}))
            found.text = _legal(message)

    for result in results:
        fired = ("failure", result.sentence, "gate") if result.fires else ()
        add_case(f"{result.subject}: {result.gate.text}", *fired)
    for subject, error in errors:
        add_case(subject, "error", " ".join(map(str, error.args)), type(error).__name__)

    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document + b"\n"


def _attributes(values: Mapping[str, str | int]) -> dict[str, str]:
    return {name: _legal(str(value)) for name, value in values.items()}


def _legal(text: str) -> str:
    """Return text in which characters that XML cannot have are spelt out: a backslash, x1b."""
    return _FORBIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def _staging(path: Path) -> Staging:
    """Return the context in which a JUnit file is written, which replaces nothing but one of topoimp."""
    if path.is_symlink():
        raise OutputError(f"{path}: is a link; name what it leads to")
    if path.is_file() and not _is_ours(path):
        raise OutputError(f"{path}: exists already, and topoimp did not write it; name another output")
    return Staging([path], force=True)


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_START)) == _START
    except OSError as error:
        raise OutputError(f"{path}: cannot be read: {error.strerror}") from error
