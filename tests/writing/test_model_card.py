import numpy as np
import pytest
import yaml
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.prune import prune_checkpoint
from topoimp.pruning.options import PruningOptions
from topoimp.writing.model_card import card_of_pruned

SECTION = "## Pruned by topoimp\n\nText.\n"


def facts_of(card):
    """The front matter of a card, as huggingface_hub reads it."""
    return ModelCard(card, ignore_metadata_errors=False).data.to_dict()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("license: mit\n", "license: mit\ntags:\n- pruned\n- topoimp\n"),
        ("tags:\n- bert\n", "tags:\n- bert\n- pruned\n- topoimp\n"),
        ("tags:\n  - bert # no\n\nlicense: mit\n", "tags:\n  - bert # no\n  - pruned\n  - topoimp\n\nlicense: mit\n"),
        ("tags: # mine\n# more\n- a\nb:\n- c\n", "tags: # mine\n# more\n- a\n- pruned\n- topoimp\nb:\n- c\n"),
        ("tags:\nlicense: mit\n", "tags:\n- pruned\n- topoimp\nlicense: mit\n"),
        ("tags: [bert, 'a b']\nb: 1\n", "tags: [bert, 'a b', pruned, topoimp]\nb: 1\n"),
        ("tags: []\n", "tags: [pruned, topoimp]\n"),
        ("tags: ['a,b', c,]\n", "tags: ['a,b', c, pruned, topoimp]\n"),
        ("'tags': [pruned]\n", "'tags': [pruned, topoimp]\n"),
        ('tags:\n- "topoimp"\n- x\n', 'tags:\n- "topoimp"\n- x\n- pruned\n'),
        ("tags: [pruned, topoimp]\n", "tags: [pruned, topoimp]\n"),
        (
            "# of ours\nwidget: |\n  tags:\n   - no\n",
            "# of ours\nwidget: |\n  tags:\n   - no\ntags:\n- pruned\n- topoimp\n",
        ),
    ],
)
@pytest.mark.parametrize("text", ["# Name\n\nText ü.\n", "text without an end", ""])
def test_front_matter_and_text_are_kept_with_two_tags_more(before, after, text):
    card = card_of_pruned(f"---\n{before}---\n{text}", SECTION)

    kept = f"---\n{after}---\n{text}"
    end = "" if kept.endswith("\n") else "\n"
    assert card == f"{kept}{end}\n{SECTION}"
    assert facts_of(card)["tags"][-2:] in (["pruned", "topoimp"], ["x", "pruned"])


@pytest.mark.parametrize(
    "before", ["tags: bert", "tags: [a,\n  b]", "tags: &x\n- a", "{license: mit}", "tags: []\ntags: []"]
)
def test_front_matter_that_is_written_in_a_rare_way_stays(before):
    assert card_of_pruned(f"---\n{before}\n---\ntext\n", SECTION) == f"---\n{before}\n---\ntext\n\n{SECTION}"


@pytest.mark.parametrize("card", ["---\n---\n", "---\nlicense: mit\n", "\ufeff---\nlicense: mit\n---\n"])
def test_front_matter_that_is_none_or_not_closed_gets_none_before_it(card):
    assert card_of_pruned(card, SECTION) == f"{card}\n{SECTION}"


@pytest.mark.parametrize("text", ["# Name\n", "", "A line\n---\nand more\n"])
def test_a_card_without_front_matter_gets_some(text):
    card = card_of_pruned(text, SECTION)

    middle = f"\n{text}" if text else ""
    assert card == f"---\ntags:\n- pruned\n- topoimp\n---\n{middle}\n{SECTION}"
    assert facts_of(card) == {"tags": ["pruned", "topoimp"]}


def test_lines_end_as_they_did():
    card = card_of_pruned("---\r\nlicense: mit\r\n---\r\ntext\r\n", SECTION)

    assert "\n" not in card.replace("\r\n", "")
    assert facts_of(card) == {"license": "mit", "tags": ["pruned", "topoimp"]}


def test_a_second_pruning_has_a_section_of_its_own():
    once = card_of_pruned("---\nlicense: mit\n---\ntext\n", SECTION)

    assert card_of_pruned(once, SECTION) == f"{once}\n{SECTION}"


VALUES = st.recursive(
    st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=8) | st.integers() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "tags", "y-z"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    facts=st.dictionaries(st.sampled_from(["license", "widget", "model-index", "a_b"]), VALUES, max_size=4),
    tags=st.none() | st.lists(st.text("abc :'\"#-,[]", min_size=1, max_size=5), max_size=4),
    style=st.sampled_from([None, False, True]),
)
def test_whatever_the_front_matter_says_it_says_with_the_tags_alone_added(facts, tags, style):
    said = facts if tags is None else {**facts, "tags": tags}
    before = yaml.dump(said, sort_keys=False, default_flow_style=style, allow_unicode=True, width=60)

    card = card_of_pruned(f"---\n{before}---\ntext\n", SECTION)

    after = yaml.safe_load(card.split("\n---\n")[0])
    missing = [tag for tag in ("pruned", "topoimp") if tag not in (tags or [])]
    assert after in (said, {**said, "tags": [*(tags or []), *missing]})


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "m"
    place.mkdir()
    tensors = {"w": np.random.default_rng(0).normal(size=(20, 30)), "embed": np.ones((5, 4)), "bias": np.ones(3)}
    save_file(tensors, place / "model.safetensors", {"format": "pt"})
    return place


def test_a_pruned_folder_says_how_it_was_pruned_and_keeps_its_text(folder, tmp_path):
    (folder / "README.md").write_bytes(b"---\nlicense: mit\n---\n# Name\n\nNo UTF-8: \xff\n")

    pruning = prune_checkpoint(folder, PruningOptions(rounds=3), emit_rounds=[1])

    card = (tmp_path / "m.pruned/README.md").read_bytes()
    assert card.startswith(
        b"---\nlicense: mit\ntags:\n- pruned\n- topoimp\n---\n# Name\n\nNo UTF-8: \xff\n\n## Pruned by"
    )
    lines = card.decode("utf-8", "replace").splitlines()
    n_kept = np.count_nonzero(load_file(tmp_path / "m.pruned/model.safetensors")["w"])
    assert pruning.report.network["n_kept"] == n_kept == 307
    assert {
        "| method | topological |",
        "| rounds | 3 |",
        "| round | 3 |",
        "| pruned layers | 1 of 3 tensors |",
        "| weights of these layers | 600 |",
        "| kept | 307 (51.17%) |",
        "| weights of the whole checkpoint | 623 |",
        "| kept of these | 330 (52.97%) |",
        "| layers whose H0 barcode is kept | 1 of 1 |",
    } <= set(lines)
    first = (tmp_path / "m.pruned.round-01/README.md").read_bytes().decode("utf-8", "replace")
    assert "| round | 1 |" in first
    assert "| kept | 480 (80.00%) |" in first


def test_a_folder_without_a_card_gets_one_and_force_replaces_it(folder, tmp_path):
    prune_checkpoint(folder, PruningOptions(rounds=1))
    prune_checkpoint(folder, PruningOptions(rounds=2), force=True)

    card = (tmp_path / "m.pruned/README.md").read_text()
    assert facts_of(card) == {"tags": ["pruned", "topoimp"]}
    assert card.count("## Pruned by topoimp") == 1
    assert "| rounds | 2 |" in card
    assert not (folder / "README.md").exists()


def test_patterns_stand_in_the_card_whatever_they_are(folder, tmp_path):
    from topoimp.layers.records import LayerPatterns

    patterns = LayerPatterns(include=("re:w|\\bv", "w*"))

    prune_checkpoint(folder, PruningOptions(rounds=1, patterns=patterns))

    assert "| include | re:w\\|\\\\bv, w* |" in (tmp_path / "m.pruned/README.md").read_text()


def test_a_pruning_by_a_mask_and_a_ticket_say_so(folder, tmp_path):
    mask = prune_checkpoint(folder, PruningOptions(rounds=1)).outputs.mask
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    tensors = load_file(folder / "model.safetensors")
    save_file({name: tensor + 1 for name, tensor in tensors.items()}, earlier / "model.safetensors", {"format": "pt"})

    apply_mask(folder, mask, output=tmp_path / "masked")
    prune_checkpoint(folder, PruningOptions(rounds=1), rewind_from=earlier, output=tmp_path / "ticket")

    assert "| method | mask |" in (tmp_path / "masked/README.md").read_text()
    assert "zeros, the others unchanged." in (tmp_path / "masked/README.md").read_text()
    assert "zeros, the others those of an earlier checkpoint." in (tmp_path / "ticket/README.md").read_text()


def test_a_card_beside_a_file_is_none_of_its(folder, tmp_path):
    (folder / "model.safetensors").rename(tmp_path / "alone.safetensors")
    (tmp_path / "README.md").write_text("mine")

    prune_checkpoint(tmp_path / "alone.safetensors", PruningOptions(rounds=1))

    assert (tmp_path / "README.md").read_text() == "mine"
