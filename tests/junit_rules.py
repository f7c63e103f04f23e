"""The rules of JUnit XML, as jenkins-junit.xsd has them, and the counts that CI systems add up."""

from xml.etree import ElementTree

REQUIRED = {"testsuite": {"name", "tests"}, "testcase": {"name"}}
"""By element, its required attributes."""

OPTIONAL = {
    "testsuites": {"name", "time", "tests", "failures", "disabled", "errors"},
    "testsuite": {"failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package"},
    "testcase": {"assertions", "time", "classname", "status"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
}
"""By element, the other attributes that it may have."""

CHILDREN = {
    "testsuites": ["testsuite"],
    "testsuite": ["properties", "testcase", "system-out", "system-err"],
    "testcase": ["skipped", "error", "failure", "system-out", "system-err"],
    "failure": [],
    "error": [],
}
"""By element, its children, in their order."""


def parsed(document):
    """The root of a document; one that is no XML is an error."""
    return ElementTree.fromstring(document)  # noqa: S314  # ours


def violations(document):
    """The rules that a document breaks."""
    root = parsed(document)
    found = [] if root.tag in ("testsuites", "testsuite") else [f"the root is {root.tag}"]
    for element in root.iter():
        if element.tag not in CHILDREN:
            found.append(f"{element.tag} is no element")
            continue
        attributes = set(element.attrib)
        required = REQUIRED.get(element.tag, set())
        found += [f"{element.tag} lacks {name}" for name in required - attributes]
        found += [f"{element.tag} has {name}" for name in attributes - required - OPTIONAL[element.tag]]
        children = [child.tag for child in element]
        found += [f"{element.tag} holds {tag}" for tag in children if tag not in CHILDREN[element.tag]]
        places = [CHILDREN[element.tag].index(tag) for tag in children if tag in CHILDREN[element.tag]]
        found += [f"{element.tag} has its children in another order"] if places != sorted(places) else []
    return found + [wrong for suite in root.iter() if suite.tag.startswith("testsuite") for wrong in miscounted(suite)]


def miscounted(suite):
    """The counts of a suite that differ from its cases."""
    cases = list(suite.iter("testcase"))
    counts = {
        "tests": len(cases),
        "failures": sum(case.find("failure") is not None for case in cases),
        "errors": sum(case.find("error") is not None for case in cases),
        "skipped": sum(case.find("skipped") is not None for case in cases),
    }
    return [f"{suite.tag} counts {name}" for name, n in counts.items() if suite.get(name, str(n)) != str(n)]


def cases_of(document):
    """By name of the test case, its class, and what failed: the element, its message and its text."""
    cases = {}
    for case in parsed(document).iter("testcase"):
        problems = [(child.tag, child.get("message"), child.get("type"), child.text) for child in case]
        cases[case.get("name")] = (case.get("classname"), problems)
    return cases
