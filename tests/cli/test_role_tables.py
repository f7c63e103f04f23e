import json
import re

import numpy as np
import pytest
from safetensors.numpy import save_file

from topoimp_cli.checkpoint_tables import show_checkpoints
from topoimp_cli.role_tables import By, by_subject


@pytest.fixture
def blocks(tmp_path):
    """Two blocks of two roles, one with a layer in four parts, and a layer that is alone in its role."""
    rng = np.random.default_rng(0)
    weights = {f"layers.{k}.{role}.weight": rng.normal(size=(4, 3)) for k in range(2) for role in ("up", "down")}
    weights["layers.1.up.weight"] = np.diag([1.0, 1, 1, 0])[:, :3]
    weights["last.weight"] = rng.normal(size=(2, 3))
    path = tmp_path / "blocks.safetensors"
    save_file({name: weight.astype(np.float32) for name, weight in weights.items()}, path)
    return path


def rows_of(out):
    """The rows of the first table, by their first word."""
    lines = out.split("\n\nforest edges")[0].splitlines()
    return {line.split()[0]: " ".join(line.split()[1:]) for line in lines if line}


def test_a_role_has_the_smallest_and_the_largest_value_of_its_layers(topoimp, blocks):
    outcome = topoimp("barcode", blocks, "--by", "role")

    layers = {row["layer"]: row for row in json.loads(topoimp("barcode", blocks, "--format", "json").out)["layers"]}
    low, high = sorted(layers[f"layers.{k}.down.weight"]["median_death"] for k in (0, 1))
    rows = rows_of(outcome.out)
    assert list(rows)[3:] == ["last.weight", "layers.*.down.weight", "layers.*.up.weight", "network"]
    assert rows["layers.*.up.weight"].startswith("2 4x3 F32 25.00% to 100.00% 1 to 4 3 to 6 ")
    assert f"{low:#.4g} to {high:#.4g}" in rows["layers.*.down.weight"]
    assert rows["last.weight"].startswith("1 2x3 F32 100.00% 1 4 ")
    assert outcome.status == 0


def test_network_and_headers_stay(topoimp, blocks):
    by_role, by_layer = topoimp("barcode", blocks, "--by", "role").out, topoimp("barcode", blocks).out

    assert rows_of(by_role)["network"].replace("- - -", "- -") == rows_of(by_layer)["network"]
    assert by_role.splitlines()[1].split()[:3] == ["role", "layers", "size"]
    assert topoimp("barcode", blocks, "--by", "layer").out == by_layer


def test_flags_are_counted_texts_too_and_blank_values_are_not():
    columns = {"layer": "layer", "beta0_kept": "beta0 kept", "dtype": "type", "tau": "tau", "z_score": "z-score"}
    cells = [(True, "F32", 0.5, None), (False, "F16", None, None), (True, "F32", 2.0, None)]
    rows = [
        {"level": "layer", "layer": f"h.{k}.weight", **dict(zip(list(columns)[1:], each, strict=True))}
        for k, each in enumerate(cells)
    ]

    headers, (role,) = by_subject(columns, rows, By.ROLE)

    assert list(headers) == ["layer", "n_layers", "beta0_kept", "dtype", "tau", "z_score"]
    assert [role[column] for column in headers] == ["h.*.weight", 3, "2 of 3", "2 different", "0.5000 to 2.000", None]


def test_values_that_read_alike_are_written_once():
    rows = [{"level": "layer", "layer": f"h.{k}.weight", "tau": 1 + k / 1e9} for k in range(2)]

    assert by_subject({"layer": "layer", "tau": "tau"}, rows, By.ROLE)[1][0]["tau"] == "1.000"


def test_densities_of_a_role_stay_apart(topoimp, blocks):
    out = topoimp("bound", blocks, "--by", "role", "--densities", "0.5,critical").out

    table = out.split("forest edges among the strongest weights\n")[1]
    lines = [line.split() for line in table.splitlines() if line.startswith("layers.*.up.weight")]
    assert [line[1:3] for line in lines] == [["2", "50.00%"], ["2", "25.00%"]]


def test_compare_has_roles_for_each_null_model(topoimp, blocks):
    outcome = topoimp("compare", blocks, blocks, "--by", "role", "--null", "edges:2", "--null", "degrees:2")

    assert outcome.status == 0
    lines = [line.split()[:3] for line in outcome.out.splitlines() if line.startswith("layers.*.up")]
    assert lines == [["layers.*.up.weight", "2", null] for null in ("shuffle:2:edges", "degrees:2")]


@pytest.mark.parametrize("name", ["barcode", "bound"])
def test_roles_are_of_the_table_and_of_one_checkpoint(topoimp, blocks, name):
    as_csv = topoimp(name, blocks, "--by", "role", "--format", "csv")
    several = topoimp(name, blocks, blocks, "--by", "role")

    assert (as_csv.status, as_csv.err) == (2, "error: --by is about the table, and not about --format csv\n")
    message = "error: --by is about the layers of one checkpoint; of several, the table has the networks\n"
    assert (several.status, several.err) == (2, message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--format", "json"], "--by is about the table, and not about --format json"),
        (["--over-seeds"], "--by does not go with --over-seeds, whose table has networks"),
    ],
)
def test_roles_of_compare_are_of_a_table_with_layers(topoimp, blocks, words, message):
    outcome = topoimp("compare", blocks, blocks, "--by", "role", *words)

    assert (outcome.status, outcome.err) == (2, f"error: {message}\n")


def test_of_several_others_the_table_has_networks(topoimp, blocks):
    outcome = topoimp("compare", blocks, blocks, blocks, "--by", "role")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("error: --by is about the layers of one checkpoint")


def test_a_run_folder_is_refused_before_anything_is_compared(topoimp, tmp_path):
    (tmp_path / "recipe.toml").touch()

    outcome = topoimp("compare", tmp_path, "--by", "role")

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == "error: --by is about the layers of one checkpoint; of several, the table has the networks\n"


@pytest.fixture
def on_terminal(monkeypatch, capsys):
    """Print rows as a table on a terminal of a width; return the header and the widest line."""

    def print_rows(show, width):
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TTY_COMPATIBLE", "1")
        capsys.readouterr()
        show()
        lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
        return lines[1].split(), max(map(len, lines[1:]))

    return print_rows


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (90, ["role", "layers", "floor", "safe", "sparsity"]),
        (66, ["role", "layers", "safe", "sparsity"]),
        (40, ["role"]),
    ],
)
def test_roles_leave_out_columns_in_their_order_until_the_table_fits(on_terminal, width, shown):
    name = "model.layers.{}.self_attn.q_proj.weight"
    columns = {"layer": "layer", "tau": "tau", "floor": "floor", "safe_sparsity": "safe sparsity"}
    rows = [
        {"level": "layer", "layer": name.format(k), "tau": 1.0 + k, "floor": 10 + k, "safe_sparsity": k / 3}
        for k in range(2)
    ]

    header, widest = on_terminal(
        lambda: show_checkpoints(
            "title", columns, rows, By.ROLE, dispensable=["tau", "floor", "safe_sparsity", "n_layers"]
        ),
        width,
    )

    assert header == shown
    assert widest <= width


def test_a_list_of_tensors_has_no_roles(topoimp, blocks):
    outcome = topoimp("barcode", blocks, "--list", "--by", "role")

    assert outcome.status == 2
    assert outcome.err.startswith("error: --by does not go with --list")
