"""What varies, a file each: the registry of a kind of thing is the list of the files in its folder."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import TypeVar

from model.foundation.errors import InputError

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Name -> the thing that the module of this name offers. A new file in the folder is a new entry.

    Listing the names imports nothing, and looking one up imports only its own module, so that a help text
    costs nothing and one broken entry stops none of the others.
    """

    def __init__(self, package: str, attribute: str, noun: str) -> None:
        """
        Args:
            package: Dotted name of the folder. Its modules are the entries, unless they start with `_`.
            attribute: The name under which each module holds its thing: "NETWORK".
            noun: What a message calls an entry: "network".
        """
        self._package, self._attribute, self._noun = package, attribute, noun

    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        folder = importlib.import_module(self._package).__path__
        return tuple(sorted(m.name for m in pkgutil.iter_modules(folder) if not m.name.startswith("_")))

    def require(self, name: str) -> None:
        """Refuse a name without importing anything.

        Raises:
            InputError: there is no entry of this name; the message lists those there are.
        """
        if name not in self.names():
            raise InputError(f"unknown {self._noun} {name!r}: expected one of {', '.join(self.names())}")

    def __getitem__(self, name: str) -> T:
        """Look an entry up.

        Raises:
            InputError: as `require`.
        """
        self.require(name)
        found: T = getattr(importlib.import_module(f"{self._package}.{name}"), self._attribute)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())
