"""The model card of a pruned folder, README.md: that it was pruned, how, and how much is left.

The text that the folder had stays. Its front matter gets two tags, by which the Hugging Face hub finds pruned models,
and a section at the end describes the pruning. A folder without a card gets one, as adapters and merged models do from
PEFT and mergekit: a pruned model is another model than the one that it was made of, and nothing else in the folder
that people read says so.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from topoimp.layers.records import Layers
from topoimp.pruning.preservation import Preservation, total_preservation

CARD = "README.md"
TAGS = ("pruned", "topoimp")

_FRONT_MATTER = re.compile(r"(\s*---[\r\n]+)(.*?)([\r\n]+---(?:[\r\n]|$))", re.DOTALL)
"""YAML between lines of hyphens at the begin of a card, as huggingface_hub finds it."""

_TAGS_LINE = re.compile(r"""(?P<key>["']?tags["']?[ \t]*:)[ \t]*(?P<value>.*?)[ \t]*""")
_INLINE_LIST = re.compile(r"\[[^\[\]{}#]*\]")
_KEY_LINE = re.compile(r"""["']?[\w-]+["']?[ \t]*:([ \t].*)?""")
_ITEM_LINE = re.compile(r"(?P<indent>[ ]*)-[ \t]+(?P<item>.*?)[ \t]*")


def write_model_card(
    folder: Path,
    layers: Layers,
    kept: Mapping[str, Preservation],
    metadata: Mapping[str, str],
    *,
    is_rewound: bool,
) -> None:
    """Write the card of a pruned folder, or what the pruning was into the card that it has.

    ``kept`` has the topology after pruning by layer; ``metadata`` is that of the pruned checkpoint.
    """
    path = folder / CARD
    card = path.read_bytes().decode("utf-8", "surrogateescape") if path.is_file() else ""
    section = _section(layers, kept, metadata, is_rewound=is_rewound)
    path.write_bytes(card_of_pruned(card, section).encode("utf-8", "surrogateescape"))


def card_of_pruned(card: str, section: str) -> str:
    r"""Return a card with the tags of pruned models in its front matter, and a section at its end.

    Its lines end as they did. Front matter whose tags are written in a rare way stays as it is.

    >>> print(card_of_pruned("---\nlicense: mit\n---\n# Name\n", "## Pruning\n"))
    ---
    license: mit
    tags:
    - pruned
    - topoimp
    ---
    # Name
    <BLANKLINE>
    ## Pruning
    <BLANKLINE>
    """
    newline = "\r\n" if "\r\n" in card else "\n"
    found = _FRONT_MATTER.match(card)
    if found:
        begin, front_matter, end = found.groups()
        tagged = newline.join(_with_tags(front_matter.split(newline)))
        card = f"{begin}{tagged}{end}{card[found.end() :]}"
    elif not card.lstrip("\ufeff \t\r\n").startswith("---"):  # it has none, and not one that is unusual
        tags = newline.join(["---", "tags:", *(f"- {tag}" for tag in TAGS), "---", ""])
        card = tags + (newline + card if card else "")

    missing = "" if card.endswith("\n") else newline
    return f"{card}{missing}{newline}{section.replace(chr(10), newline)}"


def _with_tags(lines: list[str]) -> list[str]:
    """Return the lines of a front matter with the tags, in the list that it has or in a new one."""
    places = [(number, found) for number, line in enumerate(lines) if (found := _TAGS_LINE.fullmatch(line))]
    if not places:
        first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
        return [*lines, "tags:", *(f"- {tag}" for tag in TAGS)] if _KEY_LINE.fullmatch(first) else lines
    if len(places) > 1:
        return lines

    place, found = places[0]
    value = found["value"]
    if _INLINE_LIST.fullmatch(value):
        items = [item.strip() for item in value[1:-1].split(",") if item.strip()]
        own = value[1:-1].strip().removesuffix(",")
        line = f"{found['key']} [{', '.join([*filter(None, [own]), *_missing(items)])}]"
        return [*lines[:place], line, *lines[place + 1 :]]
    is_list_below = not value or value.startswith("#")
    return _with_items(lines, place) if is_list_below else lines


def _with_items(lines: list[str], place: int) -> list[str]:
    """Return lines with the tags behind the items that stand, one a line, below the key at ``place``."""
    items: list[str] = []
    indent = ""
    end = place + 1
    for number, line in enumerate(lines[place + 1 :], place + 1):
        found = _ITEM_LINE.fullmatch(line)
        if found:
            items.append(found["item"])
            indent = found["indent"]
            end = number + 1
        elif line.strip() and not line.startswith((" ", "#")):  # the next key
            break
    return [*lines[:end], *(f"{indent}- {tag}" for tag in _missing(items)), *lines[end:]]


def _missing(items: list[str]) -> list[str]:
    """Return the tags that are no items."""
    present = {item.strip("\"'") for item in items}
    return [tag for tag in TAGS if tag not in present]


def _section(layers: Layers, kept: Mapping[str, Preservation], metadata: Mapping[str, str], *, is_rewound: bool) -> str:
    """Return the section of a card that describes a pruning: its settings, and what it kept."""
    total = total_preservation(list(kept.values()))
    n_barcodes = sum(preservation.barcode_kept for preservation in kept.values())
    n_weights = layers.checkpoint.n_weights
    n_left = n_weights - total.n_weights + total.n_kept  # all that is not selected is kept
    settings = json.loads(metadata["topoimp.settings"])
    settings.pop("view", None)  # pruning has one
    facts = {
        **settings,
        "round": metadata["topoimp.round"],
        "pruned layers": f"{len(layers.infos):,} of {len(layers.checkpoint.tensors):,} tensors",
        "weights of these layers": f"{total.n_weights:,}",
        "kept": f"{total.n_kept:,} ({total.density:.2%})",
        "weights of the whole checkpoint": f"{n_weights:,}",
        "kept of these": f"{n_left:,} ({n_left / n_weights:.2%})",
        "layers whose H0 barcode is kept": f"{n_barcodes:,} of {len(kept):,}",
    }

    version = metadata["topoimp.version"]
    weights = "those of an earlier checkpoint" if is_rewound else "unchanged"
    text = f"topoimp {version} pruned this model, without training it: pruned weights are zeros, the others {weights}."
    rows = [f"| {name} | {_cell(value)} |" for name, value in facts.items()]
    return "\n".join(["## Pruned by topoimp", "", text, "", "| | |", "| --- | --- |", *rows, ""])


def _cell(value: object) -> str:
    if isinstance(value, dict):
        value = [f"{name}={each}" for name, each in value.items()]
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
