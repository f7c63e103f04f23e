"""Follow the instructions of a pickle as torch.load(weights_only=True) does, without carrying them out.

The result is known before anything is built: the storages that a file names, in the order in which torch.load makes
them. Two kinds of pickles are refused, as torch.load would end the process over them: tuples nested so deeply that
their hash overflows the stack, and byte arrays and tensors of a given length, which can be any.

An instruction that torch.load refuses ends the walk, as it ends the loading: behind it nothing would be carried out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pickletools import genops
from typing import IO, NamedTuple, TypeAlias

MAX_DEPTH = 1000
"""Tuples that may lie in each other; those of tensors lie in two."""


class RefusedPickleError(ValueError):
    """The reason why a PyTorch file is not loaded, without the name of the file, which the reader adds."""


class _Tuple(NamedTuple):
    items: tuple["_Value", ...]
    depth: int


class _Global(NamedTuple):
    name: str


class _Storage(NamedTuple):
    n_elements: int


_Value: TypeAlias = "int | str | list[_Value] | _Tuple | _Global | _Storage | None"
"""A value as far as it matters here: None stands for every other one."""


@dataclass
class FollowedPickle:
    """The storages that a pickle names, and its value if that is a list of texts.

    Args:
        n_elements: by key of a storage, the number of its elements, in the order in which torch.load makes them.
        texts: the texts of the list; None for any other value.
        is_whole: whether it was followed to its end.
    """

    n_elements: dict[str, int] = field(default_factory=dict)
    texts: list[str] | None = None
    is_whole: bool = False


def follow(pickle: IO[bytes]) -> FollowedPickle:
    """Follow a pickle to its end, or to the first instruction that torch.load refuses.

    Raises:
        RefusedPickleError: if it nests tuples too deeply, or makes a byte array or a tensor of a given length.

    >>> from io import BytesIO
    >>> import pickle
    >>> follow(BytesIO(pickle.dumps(["0", "1"], protocol=2))).texts
    ['0', '1']
    """
    followed = FollowedPickle()
    stack = _Stack(followed.n_elements)
    try:
        for instruction, argument, _ in genops(pickle):
            if instruction.name == "STOP":
                value = stack.pop()
                if isinstance(value, list):
                    followed.texts = [text for text in value if isinstance(text, str)]
                followed.is_whole = True
                break
            stack.carry_out(instruction.name, argument)
    except RefusedPickleError:
        raise
    except (ValueError, LookupError, TypeError, OverflowError, MemoryError):
        pass  # torch.load goes no further either
    return followed


class _Stack:
    """The stack and the memo of a pickle that is followed; an instruction that torch.load refuses is a ValueError."""

    def __init__(self, n_elements: dict[str, int]) -> None:
        self._n_elements = n_elements
        self._below: list[list[_Value]] = []
        self._values: list[_Value] = []
        self._memo: dict[int, _Value] = {}

    def pop(self) -> _Value:
        return self._values.pop()

    def carry_out(self, name: str, argument: object) -> None:
        values = self._values
        if name in _PUSHED:
            values.append(argument if isinstance(argument, int | str) else None)
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[_index(argument)] = values[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            values.append(self._memo[_index(argument)])
        elif name == "MARK":
            self._below.append(values)
            self._values = []
        elif name == "TUPLE":
            items = self._since_mark()
            self._values.append(_tuple(items))
        elif name in _SIZES:
            items = values[-_SIZES[name] :] if _SIZES[name] else []
            if len(items) < _SIZES[name]:
                raise IndexError(name)
            del values[len(values) - len(items) :]
            values.append(_tuple(items))
        elif name == "BINPERSID":
            values.append(self._storage(values.pop()))
        elif name == "GLOBAL":
            values.append(_Global(str(argument)))
        elif name == "EMPTY_LIST":
            values.append([])
        else:
            self._change(name)

    def _change(self, name: str) -> None:
        """Carry out an instruction that changes the value on top, or makes another one of it."""
        if name in ("APPENDS", "SETITEMS"):
            items = self._since_mark()
        elif name in ("APPEND", "BUILD", "REDUCE", "NEWOBJ"):
            items = [self._values.pop()]
        elif name == "SETITEM":
            items = [self._values.pop(), self._values.pop()]
        elif name == "PROTO":
            return
        else:
            raise ValueError(name)  # torch.load knows no other instruction

        changed = self._values[-1]
        if name in ("APPEND", "APPENDS") and isinstance(changed, list):
            changed += items
        if name in ("REDUCE", "NEWOBJ"):
            _check_call(changed, items[0])
            # torch.save writes bytes as an encoded text, and a byte array as one made of bytes.
            self._values[-1] = "" if changed == _Global("_codecs encode") else None

    def _since_mark(self) -> list[_Value]:
        items = self._values
        self._values = self._below.pop()
        return items

    def _storage(self, identity: _Value) -> _Storage:
        """Note a storage, which is named by the tuple ("storage", type, key, device, number of elements, ...)."""
        if not isinstance(identity, _Tuple) or len(identity.items) < 5:
            raise ValueError("no storage")
        _, _, key, _, n_elements, *_ = identity.items
        if not isinstance(key, str) or not isinstance(n_elements, int):
            raise RefusedPickleError("a storage is named in another way than torch.save names it")
        return _Storage(self._n_elements.setdefault(key, n_elements))


_PUSHED = frozenset(
    [
        "BINUNICODE",
        "SHORT_BINSTRING",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "BINFLOAT",
        "NONE",
        "NEWTRUE",
        "NEWFALSE",
        "EMPTY_DICT",
        "EMPTY_SET",
    ]
)
"""Instructions that push a value which is their argument, or does not matter here."""

_SIZES: Mapping[str, int] = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def _index(argument: object) -> int:
    if not isinstance(argument, int):
        raise TypeError(argument)
    return argument


def _tuple(items: list[_Value]) -> _Tuple:
    depth = 1 + max((item.depth for item in items if isinstance(item, _Tuple)), default=0)
    if depth > MAX_DEPTH:
        raise RefusedPickleError(f"its pickle nests more than {MAX_DEPTH} tuples")
    return _Tuple(tuple(items), depth)


def _check_call(function: _Value, arguments: _Value) -> None:
    """Check that a call takes no memory of a given length: torch.save makes all tensors of storages."""
    name = function.name if isinstance(function, _Global) else ""
    items = arguments.items if isinstance(arguments, _Tuple) else (None,)
    if name.endswith("bytearray") and items and not isinstance(items[0], str):
        raise RefusedPickleError("its pickle makes a byte array of any length")
    if name.endswith("Tensor") and any(isinstance(item, int) for item in items):
        raise RefusedPickleError("its pickle makes a tensor of any length")
    if len(items) > _STRIDES and not _is_within(*items[: _STRIDES + 1]):
        raise RefusedPickleError("its pickle places a tensor beyond the end of its storage")


_STRIDES = 3
"""Place of the strides among the arguments that build a tensor: storage, offset, sizes and strides come first."""


def _is_within(storage: _Value, offset: _Value, sizes: _Value, strides: _Value) -> bool:
    """Whether a tensor lies in its storage; true too for arguments that do not build a tensor of a storage."""
    if not (isinstance(storage, _Storage) and isinstance(sizes, _Tuple) and isinstance(strides, _Tuple)):
        return True
    counts = [size for size in sizes.items if isinstance(size, int)]
    steps = [step for step in strides.items if isinstance(step, int)]
    if not isinstance(offset, int) or len(counts) != len(sizes.items) or len(steps) != len(strides.items):
        return True  # torch.load refuses it

    last = offset + sum((n - 1) * step for n, step in zip(counts, steps, strict=False))
    return 0 in counts or 0 <= last < storage.n_elements
