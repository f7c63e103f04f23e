"""Pruning folders as people have them: shards, an index, configuration; and the same in one file."""

import json

import pytest
import torch
from numpy.testing import assert_array_equal
from outputs import without_sizes
from safetensors.torch import load_file, save_file

from topoimp.checkpoint import open_checkpoint
from topoimp.commands.apply_mask import apply_mask
from topoimp.commands.barcode import barcode_report
from topoimp.commands.bound import bound_report
from topoimp.commands.compare import comparison_report
from topoimp.commands.prune import prune_checkpoint
from topoimp.errors import CheckpointError, OptionError, OutputError
from topoimp.layers.records import LayerPatterns
from topoimp.pruning.masks import read_masks
from topoimp.pruning.options import PruningOptions


def names_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def minilm(scale=1):
    """The names and shapes of all-MiniLM-L6-v2 (its widths divided by ``scale``), normal weights, bfloat16."""
    width, inner, words = 384 // scale, 1536 // scale, 30522 // scale**2
    shapes = {
        "embeddings.word_embeddings.weight": (words, width),
        "embeddings.position_embeddings.weight": (512 // scale, width),
        "embeddings.token_type_embeddings.weight": (2, width),
        "embeddings.LayerNorm.weight": (width,),
        "embeddings.LayerNorm.bias": (width,),
        "pooler.dense.weight": (width, width),
        "pooler.dense.bias": (width,),
    }
    for block in range(6):
        name = f"encoder.layer.{block}"
        for part in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= {f"{name}.{part}.weight": (width, width), f"{name}.{part}.bias": (width,)}
        shapes |= {f"{name}.intermediate.dense.weight": (inner, width), f"{name}.intermediate.dense.bias": (inner,)}
        shapes |= {f"{name}.output.dense.weight": (width, inner), f"{name}.output.dense.bias": (width,)}
        for part in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{name}.{part}.weight": (width,), f"{name}.{part}.bias": (width,)}
    generator = torch.Generator().manual_seed(0)
    tensors = {name: torch.randn(shape, generator=generator).to(torch.bfloat16) for name, shape in shapes.items()}
    return tensors | {"embeddings.position_ids": torch.arange(512 // scale)[None]}


def write_shards(folder, tensors, n_shards, *, order=sorted):
    """Write tensors as a Hugging Face library would: shards, an index, and a configuration beside them."""
    folder.mkdir()
    names, placed = order(tensors), {}
    for number in range(n_shards):
        shard = f"model-{number + 1:05}-of-{n_shards:05}.safetensors"
        here = names[number::n_shards]
        save_file({name: tensors[name] for name in here}, folder / shard, {"format": "pt"})
        placed |= dict.fromkeys(here, shard)
    index = {"metadata": {"total_size": 1}, "weight_map": placed}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text('{"model_type": "bert"}')
    return folder


def loaded(path):
    checkpoint = open_checkpoint(path)
    return {name: checkpoint.stored(name).tobytes() for name in checkpoint.tensors}


def test_names_and_shapes_of_minilm_are_right():
    tensors = minilm()

    assert len(tensors) == 104
    assert sum(tensor.numel() for tensor in tensors.values()) == 22_713_728


def test_shards_and_their_single_file_twin_give_the_same_bits(tmp_path):
    tensors = minilm()
    save_file(tensors, tmp_path / "single.safetensors", {"format": "pt"})
    folder = write_shards(tmp_path / "sharded", tensors, 3)

    one = prune_checkpoint(tmp_path / "single.safetensors", PruningOptions(rounds=10))
    several = prune_checkpoint(folder, PruningOptions(rounds=10))

    assert loaded(several.outputs.checkpoint) == loaded(one.outputs.checkpoint)
    assert several.outputs.mask.read_bytes() == one.outputs.mask.read_bytes()
    assert without_sizes(several.report) == without_sizes(one.report)
    assert one.report.network["barcode_kept"] is True


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("method", ["topological", "magnitude", "random"])
def test_threads_shards_and_the_order_of_tensors_change_no_result(tmp_path, method, scope):
    tensors = minilm(scale=8)
    forward = write_shards(tmp_path / "forward", tensors, 2)
    backward = write_shards(tmp_path / "backward", tensors, 5, order=lambda names: sorted(names, reverse=True))
    options = {"rounds": 3, "method": method, "scope": scope}

    one = prune_checkpoint(forward, PruningOptions(**options), threads=1)
    other = prune_checkpoint(backward, PruningOptions(**options), threads=3)

    assert loaded(other.outputs.checkpoint) == loaded(one.outputs.checkpoint)
    assert loaded(other.outputs.mask) == loaded(one.outputs.mask)
    assert without_sizes(other.report) == without_sizes(one.report)
    for report in (barcode_report, bound_report):
        assert report(forward, threads=1).to_csv() == report(backward, threads=4).to_csv()
    mixed = [
        comparison_report(forward, pruning.outputs.checkpoint, threads=threads).to_csv()
        for pruning, threads in ((one, 1), (other, 2))
    ]
    assert mixed[0] == mixed[1]


def test_a_folder_becomes_a_folder_and_nothing_is_lost(tmp_path):
    folder = write_shards(tmp_path / "model", minilm(scale=8), 2)
    for other in ("pytorch_model.bin", "rust_model.ot", "model.safetensors.index.fp16.json"):
        (folder / other).write_bytes(b"other weights")

    pruning = prune_checkpoint(folder, PruningOptions(rounds=2))

    assert pruning.outputs.checkpoint == tmp_path / "model.pruned"
    assert names_in(tmp_path / "model.pruned") == [
        "README.md",
        *(name for name in names_in(folder) if name not in pruning.not_copied),
    ]
    assert pruning.not_copied == ["model.safetensors.index.fp16.json", "pytorch_model.bin", "rust_model.ot"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "model",
        "model.pruned",
        "model.pruned.csv",
        "model.pruned.mask.safetensors",
    ]
    for name in ("config.json", "model.safetensors.index.json"):
        assert (tmp_path / "model.pruned" / name).read_bytes() == (folder / name).read_bytes()
    for file, original in zip(
        open_checkpoint(tmp_path / "model.pruned").files, open_checkpoint(folder).files, strict=True
    ):
        assert file.tensors == original.tensors
        assert file.metadata["format"] == "pt"
        assert file.metadata["topoimp.method"] == "topological"


def test_an_index_is_as_good_as_its_folder(tmp_path):
    folder = write_shards(tmp_path / "model", minilm(scale=8), 2)

    pruning = prune_checkpoint(folder / "model.safetensors.index.json", PruningOptions(rounds=1), emit_rounds=[1])

    assert pruning.outputs.checkpoint == tmp_path / "model.pruned"
    assert names_in(tmp_path / "model.pruned.round-01") == names_in(tmp_path / "model.pruned")


def test_the_folder_one_works_in_can_be_pruned(tmp_path, monkeypatch):
    folder = write_shards(tmp_path / "model", minilm(scale=8), 2)
    monkeypatch.chdir(folder)

    assert prune_checkpoint(".", PruningOptions(rounds=1)).outputs.checkpoint == tmp_path / "model.pruned"


def test_transformers_loads_what_was_pruned(tmp_path):
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    config = BertConfig(vocab_size=97, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
    model = BertModel(config).to(torch.bfloat16)
    model.save_pretrained(tmp_path / "bert", max_shard_size="20KB")
    n_shards = len(list((tmp_path / "bert").glob("*.safetensors")))

    pruning = prune_checkpoint(tmp_path / "bert", PruningOptions(sparsity=0.8))

    pruned, report = BertModel.from_pretrained(pruning.outputs.checkpoint, output_loading_info=True, dtype="auto")
    assert n_shards > 1
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    masks = read_masks(pruning.outputs.mask)
    before = model.state_dict()
    for name, after in pruned.state_dict().items():
        kept = (
            torch.from_numpy(masks[name].kept().copy())
            if name in masks
            else torch.ones_like(before[name], dtype=torch.bool)
        )
        assert after.dtype == torch.bfloat16
        assert torch.equal(after, torch.where(kept, before[name], torch.zeros((), dtype=after.dtype)))
    assert len(masks) == 13
    pruned(torch.arange(6)[None])


def test_a_folder_that_topoimp_did_not_write_is_never_replaced(tmp_path):
    folder = write_shards(tmp_path / "model", minilm(scale=8), 2)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("years of work")

    with pytest.raises(OutputError, match="mine: exists already, and topoimp did not write it; name another output"):
        prune_checkpoint(folder, PruningOptions(rounds=1), output=tmp_path / "mine", force=True)

    assert (tmp_path / "mine/thesis.tex").read_text() == "years of work"


def test_force_replaces_a_folder_that_topoimp_wrote(tmp_path):
    folder = write_shards(tmp_path / "model", minilm(scale=8), 2)
    prune_checkpoint(folder, PruningOptions(rounds=1))

    with pytest.raises(OutputError, match="exists already; `force` replaces it"):
        prune_checkpoint(folder, PruningOptions(rounds=2))
    prune_checkpoint(folder, PruningOptions(rounds=2), force=True)

    assert open_checkpoint(tmp_path / "model.pruned").metadata["topoimp.round"] == "2"
    assert not list(tmp_path.glob("*.partial-*"))


@pytest.mark.parametrize("output", [".", "model", "model/out.safetensors"])
def test_an_output_that_would_replace_the_input_makes_no_sense(tmp_path, output):
    folder = write_shards(tmp_path / "model", minilm(scale=8), 2)

    with pytest.raises(OptionError, match=r"holds the input|is the input|the input is a folder, and so is the output"):
        prune_checkpoint(folder, PruningOptions(rounds=1), output=tmp_path / output, force=True)

    assert len(names_in(tmp_path)) == 4


def test_stacked_experts_are_pruned_expert_by_expert(tmp_path):
    torch.manual_seed(0)
    experts = torch.randn(3, 10, 7)  # 70 weights each, so that experts do not begin at whole bytes of the mask
    save_file({"experts": experts, "fc.weight": torch.randn(9, 9)}, tmp_path / "m.safetensors")
    patterns = LayerPatterns(groups=(("experts", 3),), exclude=("experts[[]1]",))

    pruning = prune_checkpoint(tmp_path / "m.safetensors", PruningOptions(sparsity=0.6, patterns=patterns))

    after = load_file(pruning.outputs.checkpoint)["experts"]
    assert torch.equal(after[1], experts[1])
    assert [int(after[k].count_nonzero()) for k in (0, 2)] == [28, 28]
    for k in (0, 2):
        save_file({"w": experts[k].clone()}, tmp_path / "alone.safetensors")
        alone = prune_checkpoint(tmp_path / "alone.safetensors", PruningOptions(sparsity=0.6), force=True)
        assert torch.equal(load_file(alone.outputs.checkpoint)["w"], after[k])
    assert_array_equal(read_masks(pruning.outputs.mask)["experts"].kept(), after.numpy() != 0)
    again = apply_mask(
        tmp_path / "m.safetensors", pruning.outputs.mask, output=tmp_path / "again.safetensors", patterns=patterns
    )
    assert torch.equal(load_file(again.outputs.checkpoint)["experts"], after)


def test_the_view_channel_is_not_for_pruning(lenet):
    with pytest.raises(OptionError, match=r"the view is channel; pruning is of weights, and needs the view matrix"):
        prune_checkpoint(lenet, PruningOptions(rounds=1, patterns=LayerPatterns(view="channel")))


def test_an_input_that_changes_meanwhile_is_noticed_and_nothing_is_written(lenet, monkeypatch):
    import topoimp.commands.pruning_job as command

    def change_it(*arguments, **options):
        left = verify(*arguments, **options)
        lenet.touch()
        return left

    verify = command.verify_pruned
    monkeypatch.setattr(command, "verify_pruned", change_it)

    with pytest.raises(CheckpointError, match=r"lenet-300-100-mnist.safetensors: changed while it was read"):
        prune_checkpoint(lenet, PruningOptions(rounds=1))

    assert [path.name for path in lenet.parent.iterdir()] == [lenet.name]
