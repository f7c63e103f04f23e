import pytest
from hypothesis import given
from hypothesis import strategies as st

from topoimp.plots.titles import panel_titles, shortened


@pytest.mark.parametrize(("name", "short"), [("abcdef", "abcdef"), ("abcdefg", "ab…efg"), ("", "")])
def test_long_names_are_cut_in_the_middle(name, short):
    assert shortened(name, 6) == short


@pytest.mark.parametrize(
    ("names", "titles"),
    [
        (["fc1.weight", "fc2.weight"], ["fc1.weight", "fc2.weight"]),
        (
            ["model.layers.0.self_attn.q_proj.weight", "model.layers.10.mlp.up_proj.weight"],
            ["…0.self_attn.q_proj…", "…10.mlp.up_proj…"],
        ),
        (
            ["transformer.h.0.attn.c_attn.weight", "transformer.h.1.attn.c_attn.weight"],
            ["…0.attn.c_attn.weight", "…1.attn.c_attn.weight"],
        ),
        (["encoder.layers.0.x", "encoder.layers.1.x"], ["encoder.layers.0.x", "encoder.layers.1.x"]),
        (["a.very.long.name.of.a.layer", "a.very.long.name"], ["…long.name.of.a.layer", "…long.name"]),
        (  # a short name beside those of blocks
            [*(f"model.layers.{k}.self_attn.{q}_proj.weight" for k in (0, 22) for q in "qk"), "lm_head.weight"],
            [*(f"…{k}.self_attn.{q}_proj…" for k in (0, 22) for q in "qk"), "lm_head.weight"],
        ),
        (  # two kinds of blocks
            [
                f"{half}.block.{k}.layer.0.SelfAttention.{q}.weight"
                for half in ("encoder", "decoder")
                for k in (0, 11)
                for q in "qo"
            ],
            [f"{half}…{k}…0…{q}.weight" for half in ("encoder", "decoder") for k in (0, 11) for q in "qo"],
        ),
        (  # two that end alike, among others that do not
            [
                *("bert.encoder.layer.*.attention.output.dense.weight", "bert.encoder.layer.*.output.dense.weight"),
                *("bert.encoder.layer.*.attention.self.query.weight", "bert.pooler.dense.weight"),
            ],
            ["…*.attention…weight", "…output.dense.weight", "…self.query.weight", "…pooler.dense.weight"],
        ),
        (  # no part tells them apart
            [f"{'x' * 30}{k}{'y' * 30}" for k in range(2)],
            ["xxxxxxxx…yyyyyyyyy #1", "xxxxxxxx…yyyyyyyyy #2"],
        ),
        (["the.only.name.that.is.too.long"], ["the.only.n…s.too.long"]),
    ],
)
def test_titles_keep_the_parts_at_which_names_differ(names, titles):
    assert panel_titles(names) == titles


@given(st.lists(st.lists(st.sampled_from(["0", "12", "self_attn", "weight", ""]), max_size=6), min_size=1, max_size=5))
def test_titles_are_short_and_as_many_as_names(parts):
    titles = panel_titles([".".join(each) for each in parts])

    assert len(titles) == len(parts)
    assert max(map(len, titles)) <= 21


PARTS = st.sampled_from(["0", "1", "12", "self_attn", "cross_attention_of_the_decoder", "weight", "", "…", "x #1"])
NAMES = st.lists(st.lists(PARTS, max_size=7).map(".".join), min_size=1, max_size=8)


@given(NAMES)
def test_different_names_have_different_titles_and_equal_ones_the_same(names):
    titles = panel_titles(names)

    assert len(set(titles)) == len(set(names)) == len(set(zip(names, titles, strict=True)))
    assert max(map(len, titles)) <= 21


@given(st.lists(st.tuples(NAMES.map("".join), NAMES.map("".join)).map("\n".join), min_size=1, max_size=4))
def test_different_names_of_two_lines_have_different_titles(names):
    assert len(set(panel_titles(names))) == len(set(names))


def test_each_line_of_a_name_is_shortened_for_itself():
    names = ["run/seed-0/magnitude/round-01\nfc1", "run/seed-1/magnitude/round-01\nfc1"]

    titles = panel_titles(names)

    assert [title.split("\n")[1] for title in titles] == ["fc1", "fc1"]
    assert all(len(title.split("\n")[0]) == 21 for title in titles)
    assert titles[0] != titles[1]
