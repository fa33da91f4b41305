"""YAML as a tree that remembers where everything stood: what lets a problem be reported as file:line:column.

The only module that imports PyYAML. Values are the JSON-like ones alone (text, numbers, booleans, null, lists,
mappings with text keys), because what a config holds is sent on as JSON: a date stays the text that was written, and
`1e-6`, text to YAML 1.1, is the number it looks like.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, cast

import yaml

Severity = Literal["error", "warning"]
Place = tuple[str | int, ...]
"""The way to a value in the document: ("model_list", 0, "litellm_params", "model")."""

Scalar = str | int | float | bool | None

_TAG: Final = "tag:yaml.org,2002:"
_MERGE: Final = _TAG + "merge"
_SCALARS: Final = frozenset(_TAG + name for name in ("null", "bool", "int", "float", "str"))
_EXPONENT: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+$")


@dataclass(frozen=True, slots=True)
class Mark:
    """A position in a file; line and column from 1, 0 where the place is not in a file's text."""

    file: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a config. Never holds a value of it, which may be a secret."""

    file: str
    line: int
    column: int
    path: str
    message: str
    severity: Severity = "error"

    @classmethod
    def at(cls, mark: Mark, place: Place, message: str, severity: Severity = "error") -> "Problem":
        return cls(mark.file, mark.line, mark.column, dotted(place), message, severity)

    def __str__(self) -> str:
        position = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        said = self.message if self.severity == "error" else f"warning: {self.message}"
        return ": ".join(part for part in (position, self.path, said) if part)


@dataclass(slots=True)
class Leaf:
    """A scalar; `text` is what was written, before YAML made a number or a boolean of it."""

    mark: Mark
    value: Scalar = field(repr=False)
    text: str = field(repr=False)


@dataclass(slots=True)
class Items:
    mark: Mark
    nodes: "list[Node]" = field(default_factory=list["Node"])


@dataclass(slots=True)
class Fields:
    mark: Mark
    nodes: "dict[str, Node]" = field(default_factory=dict[str, "Node"])
    keys: dict[str, Mark] = field(default_factory=dict[str, Mark])

    def put(self, name: str, node: "Node", mark: Mark) -> None:
        self.nodes[name] = node
        self.keys[name] = mark

    def remove(self, name: str) -> None:
        del self.nodes[name], self.keys[name]


Node = Leaf | Items | Fields


def dotted(place: Place) -> str:
    """`model_list[0].litellm_params.model`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")


def plain(node: Node) -> Any:
    """The tree's values, without positions."""
    if isinstance(node, Leaf):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.nodes]
    return {name: plain(item) for name, item in node.nodes.items()}


def of(value: Any, mark: Mark) -> Node:
    """A tree of values that come from elsewhere, such as the command line, all at one mark."""
    if isinstance(value, Mapping):
        tree = Fields(mark)
        for name, item in cast("Mapping[str, Any]", value).items():
            tree.put(str(name), of(item, mark), mark)
        return tree
    if isinstance(value, Sequence) and not isinstance(value, str):
        return Items(mark, [of(item, mark) for item in cast("Sequence[Any]", value)])
    return Leaf(mark, value, str(value))


def find(root: Node, place: Place) -> tuple[Node, Mark, Place]:
    """The node at `place`, or the last one on the way to it; where to point for it; and how far the way went.

    A scalar is pointed at itself, a list or mapping at its key, what is not there at what it should be in.
    """
    node, mark = root, root.mark
    for depth, step in enumerate(place):
        if isinstance(node, Fields) and step in node.nodes:
            child = node.nodes[str(step)]
            mark = child.mark if isinstance(child, Leaf) else node.keys[str(step)]
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.nodes):
            child = node.nodes[step]
            mark = child.mark
        else:
            return node, mark, place[:depth]
        node = child
    return node, mark, place


def name_mark(root: Node, place: Place) -> Mark:
    """Where the last name of `place` stands."""
    node, mark, _ = find(root, place[:-1])
    return node.keys.get(str(place[-1]), mark) if isinstance(node, Fields) else mark


def read(path: Path, problems: list[Problem]) -> Fields | None:
    """The file as a tree; an empty file is an empty mapping. What is wrong goes to `problems`, and None is returned
    when nothing of the file can be used.
    """
    file = str(path)
    try:
        return parse(path.read_bytes().decode("utf-8-sig"), file, problems)
    except OSError as error:
        problems.append(Problem(file, 0, 0, "", f"cannot be read: {error.strerror or type(error).__name__}"))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problems.append(Problem(file, line, 1, "", "not UTF-8 text"))
    return None


def parse(text: str, file: str, problems: list[Problem]) -> Fields | None:
    """As `read`, of a text; `file` is the name to report."""
    loader = _loader_class()(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return Fields(Mark(file, 1, 1))
        if isinstance(root, yaml.MappingNode):
            return _Builder(loader, file, problems).mapping(root, ())
        problems.append(Problem.at(_mark(file, root.start_mark), (), "expected a mapping, such as `model_list: ...`"))
    except yaml.MarkedYAMLError as error:
        problems.append(_syntax_error(error, file))
    except yaml.reader.ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        problems.append(Problem(file, line, 1, "", "a character that YAML does not allow"))
    except RecursionError:
        problems.append(Problem(file, 1, 1, "", "nested too deeply, or contains itself"))
    finally:
        loader.dispose()
    return None


def _syntax_error(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    said = ", ".join(part for part in (error.problem, error.context) if part) or "cannot be parsed"
    return Problem.at(_mark(file, mark) if mark else Mark(file, 1, 1), (), f"not valid YAML: {said}")


def _mark(file: str, mark: Any) -> Mark:
    return Mark(file, mark.line + 1, mark.column + 1)


@cache
def _loader_class() -> Any:
    """PyYAML's safe loader (the C one where it was built: ten times faster) with the two changes the module names."""
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loader: Any = type("ConfigLoader", (base,), {})
    loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in rows if tag != _TAG + "timestamp"]
        for first, rows in base.yaml_implicit_resolvers.items()
    }
    loader.add_implicit_resolver(_TAG + "float", _EXPONENT, list("-+.0123456789"))
    return loader


@dataclass(slots=True)
class _Builder:
    """Turns PyYAML's nodes into ours, noting what JSON cannot hold and keys that occur twice."""

    loader: Any
    file: str
    problems: list[Problem]

    def node(self, node: yaml.Node, place: Place) -> Node:
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            items = [self.node(item, (*place, index)) for index, item in enumerate(node.value)]
            return Items(self._mark(node), items)
        return self.leaf(node, place)

    def mapping(self, node: yaml.MappingNode, place: Place) -> Fields:
        tree = Fields(self._mark(node))
        merged: list[Fields] = []
        for key, value in node.value:
            if key.tag == _MERGE:
                merged += self._merged(value, place)
            elif not isinstance(key, yaml.ScalarNode):
                self._problem(key, place, "a key must be plain text")
            elif str(key.value) in tree.nodes:
                first = tree.keys[str(key.value)].line
                self._problem(key, (*place, str(key.value)), f"occurs twice; the first is on line {first}")
            else:
                # A key is the text that was written: `on`, `50256` and `1.0` are names here, as in JSON.
                name = str(key.value)
                tree.put(name, self.node(value, (*place, name)), self._mark(key))
        for other in merged:
            for name in other.nodes.keys() - tree.nodes.keys():
                tree.put(name, other.nodes[name], other.keys[name])
        return tree

    def _merged(self, node: yaml.Node, place: Place) -> list[Fields]:
        """The mappings of a `<<`."""
        trees = [self.node(item, place) for item in (node.value if isinstance(node, yaml.SequenceNode) else [node])]
        if not all(isinstance(tree, Fields) for tree in trees):
            self._problem(node, place, "`<<` takes a mapping or a list of mappings")
        return [tree for tree in trees if isinstance(tree, Fields)]

    def leaf(self, node: yaml.Node, place: Place) -> Leaf:
        text = str(node.value)
        if node.tag not in _SCALARS:
            self._problem(node, place, f"the YAML tag {node.tag.replace(_TAG, '!!')} is not supported")
            return Leaf(self._mark(node), None, text)
        try:
            value = self.loader.construct_object(node)
        except (ValueError, yaml.YAMLError):
            self._problem(node, place, "not a value of the type that its YAML tag says")
            return Leaf(self._mark(node), None, text)
        if not _json_can_hold(value):
            self._problem(node, place, "out of range: JSON cannot hold it")
            value = None
        return Leaf(self._mark(node), value, text)

    def _mark(self, node: yaml.Node) -> Mark:
        return _mark(self.file, node.start_mark)

    def _problem(self, node: yaml.Node, place: Place, message: str) -> None:
        self.problems.append(Problem.at(self._mark(node), place, message))


def _json_can_hold(value: Scalar) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return abs(value) < 2**63
    return not isinstance(value, str) or not any("\ud800" <= c <= "\udfff" for c in value)
