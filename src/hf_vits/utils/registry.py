"""Registries: the parts of one kind that a configuration can name, those of this package and those of others."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any, Generic, TypeVar

from huggingface_hub.errors import StrictDataclassError

from hf_vits.utils.formatting import nearest, quoted

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """
    Entries by name, in the order of registration.

    Args:
        kind (`str`):
            What the entries are, for errors: `"decoder"`.
        modules (`Mapping[str, str]`, *optional*):
            The module of this package that registers each built-in entry. It is imported when the entry is first
            needed, so that a configuration can be checked by a file that is above it.
    """

    def __init__(self, kind: str, modules: Mapping[str, str] | None = None):
        self.kind, self._modules, self._entries = kind, dict(modules or {}), {}

    def register(self, name: str) -> Callable[[Entry], Entry]:
        """
        Return a decorator that registers an entry under a name.

        Raises:
            ValueError: if the name is taken by another entry.
        """

        def add(entry: Entry) -> Entry:
            taken = self._entries.get(name)
            if taken is not None and not _is_reloaded(taken, entry):
                raise ValueError(f"There is a {self.kind} {name!r} already: {taken!r}. Register yours by another name.")
            self._entries[name] = entry
            return entry

        return add

    def unregister(self, name: str) -> None:
        """Remove an entry, such as one that a test registered."""
        del self._entries[name]

    def __getitem__(self, name: str) -> Entry:
        """
        Return an entry.

        Raises:
            ValueError: if there is none of that name; lists the registered names.
        """
        if name in self and name not in self._entries:
            importlib.import_module(self._modules[name])
        if name not in self or name not in self._entries:
            raise ValueError(
                f"There is no {self.kind} {quoted(name)}{nearest(str(name), self) or '.'} Registered: "
                f"{', '.join(self)}. If it is part of another package, import the module that registers it first."
            )
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self._modules or name in self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._modules, *self._entries]))

    def values(self) -> list[Entry]:
        """Return all entries."""
        return [self[name] for name in self]

    def items(self) -> list[tuple[str, Entry]]:
        """Return all entries with their names."""
        return [(name, self[name]) for name in self]


def config_of(config_class: type, given: Mapping[str, Any], field: str, is_registered: bool = True) -> Any:
    """
    Build the configuration of a part.

    Args:
        config_class (`type`):
            A dataclass.
        given (`Mapping[str, Any]`):
            Its fields by name, and the part's registered name as `"type"`.
        field (`str`):
            The field that `given` is from, for errors.
        is_registered (`bool`, *optional*, defaults to `True`):
            False for a part of which there is one kind, so that it has no `"type"`.

    Raises:
        ValueError: for a field that does not exist, or has a value of another type.
    """
    known = [item.name for item in fields(config_class)]
    kind = repr(given["type"]) if is_registered else ""
    if unknown := [name for name in given if name not in known and not (is_registered and name == "type")]:
        raise ValueError(
            f"`{field}` has {quoted(unknown[0])}, which is no field{kind and f' of {kind}'}"
            f"{nearest(str(unknown[0]), known) or '.'} Its fields are {', '.join(known) or 'none'}."
        )
    try:
        return config_class(**{name: value for name, value in given.items() if name != "type"})
    except (StrictDataclassError, TypeError) as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise ValueError(f"`{field}`{kind and f' of type {kind}'} has an impossible field: {reason}") from error


def _is_reloaded(taken: object, entry: object) -> bool:
    """Return True for a class or function of the same module and name, as when a module or cell is executed again."""
    parts = [getattr(one, "function", one) for one in (taken, entry)]
    names = [(getattr(part, "__module__", None), getattr(part, "__qualname__", None)) for part in parts]
    return names[0] == names[1] and None not in names[0]
