import pytest
from hypothesis import given
from hypothesis import strategies as st
from junit_rules import cases_of, parsed, violations

from topoimp.errors import CheckpointError, OptionError, OutputError
from topoimp.reports.gates import GateResult, gate_results, parse_gate
from topoimp.reports.junit import check_junit, junit_xml, write_junit

ROWS = (
    {"level": "layer", "layer": "a", "tau": 0.5, "rows": 3},
    {"level": "layer", "layer": "b", "tau": None, "rows": 4, "undefined": "a layer of zeros"},
    {"level": "network", "tau": 2.0},
)
RESULTS = gate_results([parse_gate("tau<1"), parse_gate("rows>3")], ROWS)
ERRORS = [("no.safetensors", CheckpointError("no.safetensors: no such file"))]


def test_each_gate_at_each_row_is_a_case_that_fails_with_the_value_found():
    zero = "gate 'tau<1': layer 'b' has no tau (a layer of zeros), and an undefined value does not pass"
    small = "gate 'tau<1': layer 'a' has tau 0.5"
    large = "gate 'rows>3': layer 'b' has rows 4"
    assert cases_of(junit_xml("bound", RESULTS)) == {
        "layer 'a': tau<1": ("topoimp.bound", [("failure", small, "gate", small)]),
        "layer 'b': tau<1": ("topoimp.bound", [("failure", zero, "gate", zero)]),
        "the network: tau<1": ("topoimp.bound", []),
        "layer 'a': rows>3": ("topoimp.bound", []),
        "layer 'b': rows>3": ("topoimp.bound", [("failure", large, "gate", large)]),
    }


def test_a_checkpoint_that_cannot_be_used_is_a_case_with_an_error():
    message = "no.safetensors: no such file"
    cases = cases_of(junit_xml("barcode", RESULTS, ERRORS))

    assert cases["no.safetensors"] == ("topoimp.barcode", [("error", message, "CheckpointError", message)])


@pytest.mark.parametrize("results", [[], RESULTS])
@pytest.mark.parametrize("errors", [[], ERRORS])
def test_a_command_is_one_suite_within_the_rules(results, errors):
    document = junit_xml("prune", results, errors)

    assert violations(document) == []
    (suite,) = parsed(document)
    counts = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
    n_fired = 3 if results else 0
    assert suite.get("name") == "topoimp prune"
    assert counts == {"tests": len(results) + len(errors), "failures": n_fired, "errors": len(errors), "skipped": 0}


NAMES = st.text(st.characters(codec=None), max_size=20)


@given(NAMES, st.sampled_from([0.5, None]), NAMES)
def test_any_name_gives_a_document_within_the_rules(name, value, reason):
    result = GateResult(parse_gate("tau<1"), f"layer {name}", value, reason)

    document = junit_xml("bound", [result], [(name, CheckpointError(reason))])

    assert violations(document) == []


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn"), exclude_characters="\ufffe\uffff"), max_size=20))
def test_a_name_without_control_characters_is_in_it_as_it_is(name):
    result = GateResult(parse_gate("tau<1"), name, 0.5)

    assert list(cases_of(junit_xml("bound", [result]))) == [f"{name}: tau<1"]


def test_control_characters_are_spelt_out():
    result = GateResult(parse_gate("tau<1"), "a\x1b[31m\x00\udc80\ufffe", 2.0)

    assert list(cases_of(junit_xml("bound", [result]))) == ["a\\x1b[31m\\x00\\udc80\\ufffe: tau<1"]


def test_the_same_results_give_the_same_bytes():
    assert junit_xml("bound", RESULTS, ERRORS) == junit_xml("bound", RESULTS, ERRORS)


@pytest.mark.parametrize(
    ("document", "broken"),
    [
        ("<testsuite name='a' tests='0'/>", []),
        ("<tests/>", ["the root is tests", "tests is no element"]),
        ("<testsuites><testsuite tests='0'/></testsuites>", ["testsuite lacks name"]),
        ("<testsuite name='a' tests='1'/>", ["testsuite counts tests"]),
        ("<testsuite name='a' tests='1'><testcase/></testsuite>", ["testcase lacks name"]),
        ("<testsuite name='a' tests='1'><testcase name='b' line='3'/></testsuite>", ["testcase has line"]),
        (
            "<testsuite name='a' tests='1' failures='0'><testcase name='b'><failure/></testcase></testsuite>",
            ["testsuite counts failures"],
        ),
        (
            "<testsuite name='a' tests='1'><testcase name='b'><failure/><error/></testcase></testsuite>",
            ["testcase has its children in another order"],
        ),
        ("<testsuites><testcase name='b'/></testsuites>", ["testsuites holds testcase"]),
    ],
)
def test_the_rules_see_what_breaks_them(document, broken):
    assert violations(document) == broken


def test_a_file_is_written_whole_and_replaces_an_earlier_one_of_topoimp(tmp_path):
    path = tmp_path / "gates.xml"

    write_junit(path, "bound", [])
    write_junit(path, "bound", RESULTS, ERRORS)

    assert path.read_bytes() == junit_xml("bound", RESULTS, ERRORS)
    assert list(tmp_path.iterdir()) == [path]


def test_a_check_leaves_nothing_behind(tmp_path):
    check_junit(tmp_path / "gates.xml")

    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_name_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"`junit` is .*gates.txt; its name must end in .xml"):
        check_junit(tmp_path / "gates.txt")


@pytest.mark.parametrize("content", [b"", b"<testsuites/>", b"\xff\xfe"])
@pytest.mark.parametrize("call", [check_junit, lambda path: write_junit(path, "bound", RESULTS)])
def test_a_file_of_the_users_stays(tmp_path, content, call):
    path = tmp_path / "gates.xml"
    path.write_bytes(content)

    with pytest.raises(OutputError, match=r"gates.xml: exists already, and topoimp did not write it; name another"):
        call(path)
    assert path.read_bytes() == content


def test_a_link_and_a_folder_stay(tmp_path):
    link, folder = tmp_path / "link.xml", tmp_path / "folder.xml"
    write_junit(tmp_path / "there.xml", "bound", [])
    link.symlink_to(tmp_path / "there.xml")
    folder.mkdir()

    with pytest.raises(OutputError, match=r"link.xml: is a link; name what it leads to"):
        check_junit(link)
    with pytest.raises(OutputError, match=r"folder.xml: is a folder; the output is a file"):
        check_junit(folder)


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match=r"gates.xml: cannot be written: Not a directory"):
        check_junit(tmp_path / "file" / "gates.xml")
