import csv
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import gudhi_bars, slow_forest
from strategies import weights

from topoimp.choices import BarConvention, Scale
from topoimp.errors import OptionError
from topoimp.layers.layer import as_layer
from topoimp.topology.barcode import Unit, barcode_of, unit_of
from topoimp.topology.bars import bars_of, write_bars_csv, write_bars_npz
from topoimp.topology.forest import spanning_forest

SUPERLEVEL, GUDHI = BarConvention
UNIT = Unit(1.0, 4.0)
SMALL = np.array([[4.0, -1.0, 0.0], [0.0, 2.0, 0.0]])
HEADER = "layer,row,column,index,strength,birth,death,essential"


def bars_in(weight, **options):
    return bars_of(spanning_forest(as_layer(weight)), **options)


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@given(weights())
def test_each_finite_bar_names_the_weight_that_ends_it_and_comes_in_the_order(weight):
    bars = bars_in(weight, unit=UNIT)
    n_finite = int((~bars.essential).sum())
    row, column, index = bars.row[:n_finite], bars.column[:n_finite], bars.index[:n_finite]

    assert index.tolist() == slow_forest(weight)
    assert_array_equal(np.abs(weight[row, column].astype(np.float64)), bars.strength[:n_finite])
    assert_array_equal(row * weight.shape[1] + column, index)


@given(weights())
def test_bars_in_gudhi_s_convention_are_those_of_gudhi(weight):
    scale = float(np.abs(weight).max()) or 1.0

    bars = bars_in(weight, unit=Unit(1.0, scale), bar_convention=GUDHI)

    deaths, n_essential, births = gudhi_bars(weight, scale)
    assert_array_equal(bars.intervals()[:, 1], deaths)
    assert (int(bars.essential.sum()), len(bars.birth)) == (n_essential, len(births))
    assert np.isinf(bars.death[bars.essential]).all()


@given(weights(), st.sampled_from(Scale))
def test_persistence_is_what_lies_between_birth_and_death(weight, scale):
    barcode = barcode_of(as_layer(weight))
    largest = float(np.abs(weight).max()) or None
    unit = unit_of(scale, network_largest=largest, layer_largest=largest)

    bars = bars_in(weight, unit=unit)

    assert_array_equal(bars.birth - bars.death, unit.persistences(barcode))


@given(weights())
def test_the_conventions_differ_in_sign_and_in_the_death_of_essential_bars(weight):
    superlevel, gudhi = (bars_in(weight, unit=UNIT, bar_convention=convention) for convention in (SUPERLEVEL, GUDHI))

    assert_array_equal(superlevel.birth, -gudhi.birth)
    assert_array_equal(superlevel.intervals(), -gudhi.intervals())
    assert_array_equal(superlevel.death[superlevel.essential], 0.0)


def test_bars_by_hand():
    bars = bars_in(SMALL, unit=UNIT)

    assert bars.row.tolist() == [0, 1, 0, -1, -1]
    assert bars.column.tolist() == [0, 1, 1, -1, -1]
    assert bars.index.tolist() == [0, 4, 1, -1, -1]
    assert bars.death.tolist() == [1.0, 0.5, 0.25, 0.0, 0.0]
    assert bars.birth.tolist() == [1.0] * 5
    assert bars.essential.tolist() == [False, False, False, True, True]


def test_of_equal_weights_the_first_ends_the_bar():
    assert bars_in(np.full((2, 2), 0.5), unit=Unit(1.0, 0.5)).index.tolist() == [0, 1, 2, -1]


def test_a_layer_of_zeros_has_essential_bars_alone():
    bars = bars_in(np.zeros((1, 2)), unit=Unit(1.0, None))

    assert bars.essential.all()
    assert bars.intervals().shape == (0, 2)


@pytest.mark.parametrize(
    ("scale", "birth", "divisor"), [(Scale.NETWORK, 1.0, 8.0), (Scale.LAYER, 1.0, 4.0), (Scale.NONE, 8.0, 1.0)]
)
def test_scales_say_where_bars_are_born_and_what_is_divided(scale, birth, divisor):
    assert unit_of(scale, network_largest=8.0, layer_largest=4.0) == Unit(birth, divisor)


def test_without_edges_there_is_nothing_to_divide_by():
    assert unit_of(Scale.NETWORK, network_largest=None, layer_largest=None) == Unit(1.0, None)
    assert unit_of(Scale.NONE, network_largest=None, layer_largest=None) == Unit(0.0, 1.0)


def test_there_is_no_third_convention():
    with pytest.raises(OptionError, match="there is no bar convention 'sublevel'; known are superlevel, gudhi"):
        bars_in(SMALL, unit=UNIT, bar_convention="sublevel")


def test_csv_has_a_line_for_each_bar_and_blanks_where_there_is_no_weight(tmp_path):
    write_bars_csv(tmp_path / "bars.csv", [('a,"b"', bars_in(SMALL, unit=UNIT))])

    lines = (tmp_path / "bars.csv").read_text(encoding="utf-8").splitlines()
    assert lines[:3] == [HEADER, '"a,""b""",0,0,0,4.0,1.0,1.0,false', '"a,""b""",1,1,4,2.0,1.0,0.5,false']
    assert lines[4:] == ['"a,""b""",,,,,1.0,0.0,true'] * 2


def test_in_gudhi_s_convention_essential_bars_die_at_inf(tmp_path):
    write_bars_csv(tmp_path / "bars.csv", [("a", bars_in(SMALL, unit=UNIT, bar_convention=GUDHI))])

    rows = read_csv(tmp_path / "bars.csv")
    assert [float(row["death"]) for row in rows] == [-1.0, -0.5, -0.25, np.inf, np.inf]


@given(weights(dtypes=(np.float64,)))
def test_csv_keeps_every_bit(tmp_path_factory, weight):
    path, bars = tmp_path_factory.mktemp("bars") / "bars.csv", bars_in(weight, unit=Unit(1.0, 0.3))
    write_bars_csv(path, [("a", bars)])

    rows = read_csv(path)
    assert [float(row["death"]) for row in rows] == bars.death.tolist()
    assert [float(row["strength"] or "nan") for row in rows if row["essential"] == "false"] == bars.strength[
        ~bars.essential
    ].tolist()


def test_npz_has_every_array_of_every_layer_and_how_it_is_scaled(tmp_path):
    bars = {"a/b": bars_in(SMALL, unit=UNIT), "dead": bars_in(np.zeros((2, 2)), unit=Unit(1.0, None))}
    units = {"a/b": UNIT, "dead": Unit(1.0, None)}

    write_bars_npz(tmp_path / "b.npz", bars.items(), units=units, scale=Scale.NETWORK, bar_convention=SUPERLEVEL)

    with np.load(tmp_path / "b.npz") as arrays:
        assert sorted(name for name in arrays if name.startswith("dead")) == [
            f"dead/{name}" for name in ("birth", "column", "death", "essential", "index", "row", "scale", "strength")
        ]
        assert (str(arrays["convention"]), str(arrays["scale"])) == ("superlevel", "network")
        assert (float(arrays["a/b/scale"]), np.isnan(arrays["dead/scale"])) == (4.0, True)
        assert_array_equal(arrays["a/b/death"], bars["a/b"].death)
        assert (arrays["a/b/index"].dtype, arrays["a/b/essential"].dtype) == (np.int64, np.bool_)


def test_lines_are_written_without_holding_them(tmp_path):
    weight = np.random.default_rng(0).normal(size=(2, 120_000))
    bars = bars_in(weight, unit=UNIT)

    tracemalloc.start()
    write_bars_csv(tmp_path / "bars.csv", [("a", bars)])
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert most < 12e6
    assert len(read_csv(tmp_path / "bars.csv")) == 120_002
