"""The classes of the capturing emitters: one for each class of emitters, with the same special methods.

A statement looks these up in the class: an instance that has `__enter__` alone is no context manager.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import getattr_static
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

T = TypeVar("T")

_BASE = "_LogCapturingEmitter__base"
_OF_EVERYTHING = frozenset(
    ["__eq__", "__ne__", "__hash__", "__str__", "__format__", "__lt__", "__le__", "__gt__", "__ge__"],
)
_OWN = (frozenset(dir(object)) - _OF_EVERYTHING) | {
    "__class_getitem__", "__copy__", "__deepcopy__", "__del__", "__getattr__", "__getnewargs__", "__getnewargs_ex__",
    "__set_name__", "__setstate__", "__slots__",
}  # fmt: skip
"""What makes, takes apart or describes an object, and what the wrapper does itself."""
_VALUES = frozenset(["__dataclass_fields__", "__dataclass_params__", "__match_args__"])

_classes: WeakKeyDictionary[type, dict[type, type]] = WeakKeyDictionary()


def emitter_class(wrapper: type[T], base: type) -> type[T]:
    """Give the class of the wrapper around emitters of a class."""
    made = _classes.setdefault(base, {})
    if wrapper not in made:
        made[wrapper] = _made(wrapper, base)
    return made[wrapper]


def _made(wrapper: type[T], base: type) -> type[T]:
    names = {name for kind in base.__mro__ for name in vars(kind) if name.startswith("__") and name.endswith("__")}
    members: dict[str, Any] = {}
    for name in (names - _OWN) | _OF_EVERYTHING:
        found = getattr_static(base, name)
        if found is None or name in _VALUES:  # None: its objects have no hash, or cannot be iterated
            members[name] = found
        elif callable(found):
            members[name] = _entering(found) if name == "__aenter__" else _forwarding(found)
    members |= {"__slots__": (), "__module__": wrapper.__module__, "__qualname__": wrapper.__qualname__}
    made: type[T] = type(wrapper.__name__, (wrapper,), members)
    return made


def _forwarding(method: Any) -> Callable[..., Any]:
    def forwarded(self: Any, *args: Any, **kwargs: Any) -> Any:
        base = _unwrapped(self)
        given = _bound(method, base)(*map(_unwrapped, args), **kwargs)
        return self if given is base else given

    return forwarded


def _entering(method: Any) -> Callable[..., Any]:
    async def entered(self: Any) -> Any:
        base = _unwrapped(self)
        given = await _bound(method, base)()
        return self if given is base else given

    return entered


def _bound(method: Any, base: Any) -> Any:
    return method.__get__(base, type(base)) if hasattr(type(method), "__get__") else method


def _unwrapped(value: Any) -> Any:
    try:
        return object.__getattribute__(value, _BASE)
    except AttributeError:
        return value
