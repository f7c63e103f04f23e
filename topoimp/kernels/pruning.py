"""Kernels that write pruned weights, and that compare written weights with the original ones."""

from topoimp.arrays import BoolArray, Code, CodeArray, IndexArray
from topoimp.kernels import BLOCK
from topoimp.kernels.compiled import compiled


@compiled("codes")
def write_kept(codes: CodeArray, start: int, stop: int, mask: Code, code: Code, last: int, pruned: CodeArray) -> None:
    """Write the weights of a part that are stronger than a magnitude code, or have it at index ``last`` or before.

    ``pruned``, shape (stop - start,), gets their codes, and +0.0 for other weights and for zeros.
    """
    kind = codes.dtype.type
    part, n_until = codes[start:stop], min(max(last + 1 - start, 0), stop - start)

    least = code if code != kind(0) else kind(1)
    for i in range(n_until):
        pruned[i] = part[i] if kind(part[i] & mask) >= least else kind(0)

    # Counted from 0: only then does the compiler vectorise the loop.
    rest, pruned_rest = part[n_until:], pruned[n_until:]
    for i in range(rest.size):
        pruned_rest[i] = rest[i] if kind(rest[i] & mask) > code else kind(0)


@compiled("codes", "ranks")
def write_kept_ranks(
    codes: CodeArray, ranks: CodeArray, mask: Code, rank: Code, n_until: int, pruned: CodeArray
) -> None:
    """Write the weights with a rank above a threshold's, or equal to it among the first ``n_until``.

    ``pruned`` gets their codes, and +0.0 for other weights and for zeros. All three have the same shape; ``rank`` is
    above 0 unless ``n_until`` is 0.
    """
    kind = codes.dtype.type
    for i in range(n_until):
        pruned[i] = codes[i] if ranks[i] >= rank and kind(codes[i] & mask) != kind(0) else kind(0)

    rest, ranks_rest, pruned_rest = codes[n_until:], ranks[n_until:], pruned[n_until:]
    for i in range(rest.size):
        is_kept = ranks_rest[i] > rank
        pruned_rest[i] = rest[i] if is_kept & (kind(rest[i] & mask) != kind(0)) else kind(0)


@compiled("codes", "ranks", "thresholds", "lasts")
def write_kept_in_rows(
    codes: CodeArray,
    ranks: CodeArray,
    start: int,
    n_columns: int,
    mask: Code,
    thresholds: CodeArray,
    lasts: IndexArray,
    pruned: CodeArray,
) -> None:
    """Write the weights of a part, from flat index ``start`` on, that the threshold of their row keeps.

    In row i these are the ranks above ``thresholds[i]``, and equal ones up to the column ``lasts[i]``. ``pruned`` gets
    their codes, and +0.0 for other weights and for zeros. ``codes``, ``ranks`` and ``pruned`` have the same shape.
    """
    place = 0
    while place < codes.size:
        row = (start + place) // n_columns
        column = start + place - row * n_columns
        end = min(place + n_columns - column, codes.size)
        n_until = min(max(lasts[row] + 1 - column, 0), end - place)
        write_kept_ranks(codes[place:end], ranks[place:end], mask, thresholds[row], n_until, pruned[place:end])
        place = end


@compiled("codes", "ranks", "thresholds", "lasts")
def write_kept_in_columns(
    codes: CodeArray,
    ranks: CodeArray,
    start: int,
    n_columns: int,
    mask: Code,
    thresholds: CodeArray,
    lasts: IndexArray,
    pruned: CodeArray,
) -> None:
    """Write the weights of a part that the threshold of their column keeps, as ``write_kept_in_rows`` by row."""
    kind = codes.dtype.type
    place = 0
    while place < codes.size:
        row = (start + place) // n_columns
        column = start + place - row * n_columns
        end = min(place + n_columns - column, codes.size)
        part, part_ranks, part_pruned = codes[place:end], ranks[place:end], pruned[place:end]
        part_thresholds, part_lasts = thresholds[column:], lasts[column:]
        for i in range(part.size):
            is_equal = (part_ranks[i] == part_thresholds[i]) & (row <= part_lasts[i])
            is_kept = (part_ranks[i] > part_thresholds[i]) | is_equal
            part_pruned[i] = part[i] if is_kept & (kind(part[i] & mask) != kind(0)) else kind(0)
        place = end


@compiled("original", "written", "kept")
def count_wrong(original: CodeArray, written: CodeArray, kept: BoolArray, mask: Code) -> tuple[int, int, int]:
    """Count the written weights that are not zero, the kept ones that changed, and the pruned ones that are not +0.0.

    A kept -0.0 must become +0.0.
    """
    kind = written.dtype.type
    n_present, n_changed, n_wrong = 0, 0, 0

    for base in range(0, written.size, BLOCK):
        stop = min(base + BLOCK, written.size)
        before, after, is_kept = original[base:stop], written[base:stop], kept[base:stop]
        present, changed, wrong = kind(0), kind(0), kind(0)

        for i in range(after.size):
            factor = kind(1) if is_kept[i] else kind(0)
            expected = kind(before[i] * factor) if kind(before[i] & mask) != kind(0) else kind(0)
            differs = kind(1) if after[i] != expected else kind(0)
            present = kind(present + (kind(1) if after[i] != kind(0) else kind(0)))
            changed = kind(changed + kind(differs & factor))
            wrong = kind(wrong + differs)

        n_present += int(present)
        n_changed += int(changed)
        n_wrong += int(wrong)
    return n_present, n_changed, n_wrong - n_changed
