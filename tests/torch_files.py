"""PyTorch files as people have them: tensors of all types and layouts, and archives that other programs wrote."""

import io
import zipfile

import torch

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn)


def random_tensors(seed, *, is_zip=True):
    """Tensors of all types: contiguous, transposed, in parts of larger storages, tied, and without numbers.

    The file format before version 1.6 (not ``is_zip``) has no types of eight bits.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    dtypes = DTYPES if is_zip else DTYPES[:-1]
    plain = {f"plain.{dtype}".replace("torch.", ""): normal(5, 7).to(dtype) for dtype in dtypes}
    fused = normal(12, 6)
    shared = normal(6, 4)
    return {
        **plain,
        "empty": torch.ones(0, 3),
        "turned": normal(4, 9).T,
        "fused.first": fused[:5],
        "fused.second": fused[5:, :4],
        "fused.third": fused[5:, 4:],
        "conv": normal(4, 3, 3, 2).to(memory_format=torch.channels_last),
        "one": shared,
        "other": shared,
        "parameter": torch.nn.Parameter(normal(3, 5)),
        "bias": normal(3),
        "complex": normal(3).to(torch.complex128),
        "sparse": torch.eye(3).to_sparse(),
    }


def rewritten(content, change=lambda _name, data: data, *, compress=(), streamed=False, force_zip64=False):
    """Give a torch.save archive as zipfile writes it: other headers, and other places of the records."""
    place = _Stream() if streamed else io.BytesIO()
    old = zipfile.ZipFile(io.BytesIO(content))
    with zipfile.ZipFile(place, "w") as new:
        for name in old.namelist():
            info = zipfile.ZipInfo(name)
            is_chosen = any(name.endswith(end) for end in compress)
            info.compress_type = zipfile.ZIP_DEFLATED if is_chosen else zipfile.ZIP_STORED
            with new.open(info, "w", force_zip64=force_zip64) as record:
                record.write(change(name, old.read(name)))
    return place.getvalue()


class _Stream(io.BytesIO):
    """A file that cannot go back, so that checksums stand behind the records."""

    def seekable(self):
        return False

    def seek(self, *_):
        raise io.UnsupportedOperation

    def tell(self):
        raise io.UnsupportedOperation
