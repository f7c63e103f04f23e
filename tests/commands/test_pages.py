"""What the pages of all commands have in common, shown on ``barcode``."""

import json
import re

import numpy as np
import pytest
from outputs import figures_in, report_in

from topoimp import OptionError, OutputError, PruningOptions, barcode_report, comparison_report, prune_run
from topoimp.commands import compare_pictures
from topoimp.commands.barcode_pictures import FIGURES


def test_the_page_holds_the_report_of_the_command_and_all_figures(lenet, tmp_path):
    report = barcode_report(lenet, report=tmp_path / "a.html", threads=1)

    assert report.outputs == {"report": tmp_path / "a.html"}
    assert report_in(tmp_path / "a.html") == json.loads(report.to_json())
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    shown = figures_in(tmp_path / "a.html")
    missing = re.findall(r'class="soft">(\S+): not drawn', text)
    assert "barcode" in shown
    assert sorted(shown + missing) == sorted(FIGURES)


def test_the_rows_are_those_without_a_page(lenet, tmp_path):
    assert barcode_report(lenet, report=tmp_path / "a.html", threads=1).rows == barcode_report(lenet, threads=1).rows


def test_the_same_input_has_the_same_bytes(lenet, tmp_path):
    texts = []
    for _ in range(2):
        barcode_report(lenet, report=tmp_path / "a.html", force=True, threads=1)
        texts.append((tmp_path / "a.html").read_bytes())

    assert texts[0] == texts[1]


def test_a_page_and_a_picture_go_together(lenet, tmp_path):
    report = barcode_report(lenet, report=tmp_path / "a.html", plot=tmp_path / "a.svg", threads=1)

    assert set(report.outputs) == {"plot", "report"}
    assert (tmp_path / "a.svg").is_file()


def test_a_file_of_another_ending_is_refused_before_anything_is_read():
    with pytest.raises(OptionError, match=r"^`report` is a.pdf; its name must end in .html or .htm$"):
        barcode_report("absent.safetensors", report="a.pdf")


def test_an_existing_page_stays(lenet, tmp_path):
    (tmp_path / "a.html").write_text("mine")

    with pytest.raises(OutputError, match="exists already"):
        barcode_report(lenet, report=tmp_path / "a.html", threads=1)
    assert (tmp_path / "a.html").read_text() == "mine"


def test_the_command_line_writes_a_page_and_says_so(topoimp, lenet, tmp_path):
    outcome = topoimp("barcode", lenet, "--report", tmp_path / "a.html", "--null", "edges:2", "--seed", 5)

    assert outcome.status == 0
    assert f"wrote {tmp_path / 'a.html'}\n" in outcome.err
    settings = report_in(tmp_path / "a.html")["settings"]
    assert (settings["null"], settings["seed"]) == ("shuffle:2:edges", 5)


def test_several_checkpoints_have_no_page(topoimp, lenet, tmp_path):
    outcome = topoimp("barcode", lenet, lenet, "--report", tmp_path / "a.html")

    assert outcome.status == 2
    assert "--report writes one file, about one CHECKPOINT" in outcome.err


@pytest.mark.soak
def test_a_page_of_1000_layers_is_below_5_mb(write, tmp_path):
    rng = np.random.default_rng(0)
    arrays = {f"model.layers.{k}.self_attn.q_proj.weight": rng.normal(size=(12, 9)).astype("f4") for k in range(1000)}

    barcode_report(write(arrays), report=tmp_path / "a.html", threads=1)

    assert (tmp_path / "a.html").stat().st_size < 5e6


@pytest.mark.parametrize("n_others", [1, 2])
def test_a_comparison_with_one_or_several_others_has_a_page(lenet, lenet_init, tmp_path, n_others):
    report = comparison_report(lenet, *[lenet_init] * n_others, report=tmp_path / "a.html", threads=1)

    assert report.outputs == {"report": tmp_path / "a.html"}
    assert report_in(tmp_path / "a.html") == json.loads(report.to_json())
    assert figures_in(tmp_path / "a.html") == list(compare_pictures.FIGURES)
    assert report.rows == comparison_report(lenet, *[lenet_init] * n_others, threads=1).rows


def test_a_comparison_of_rounds_has_a_page(run, tmp_path):
    prune_run(run, PruningOptions(rounds=2), seeds=[0], jobs=1)

    report = comparison_report(run, report=tmp_path / "a.html", threads=1)

    assert report_in(tmp_path / "a.html") == json.loads(report.to_json())
    assert figures_in(tmp_path / "a.html") == list(compare_pictures.FIGURES)


def test_the_command_line_writes_the_page_of_a_comparison(topoimp, lenet, lenet_init, tmp_path):
    outcome = topoimp("compare", lenet, lenet_init, "--report", tmp_path / "a.html")

    assert outcome.status == 0
    assert f"wrote {tmp_path / 'a.html'}\n" in outcome.err
    assert topoimp("compare", lenet, lenet_init, "--report", tmp_path / "a.html").status == 1
    assert topoimp("compare", lenet, lenet_init, "--report", tmp_path / "a.html", "--force").status == 0
