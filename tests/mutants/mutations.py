"""Small changes to the code that a test should notice, found in its syntax tree and made in its text.

What is changed, one thing at a time:
    comparisons   to the neighbour at the boundary (< to <=) and to the opposite (< to >=)
    arithmetic    + to -, // to *, << to >>, & to | and the like, also where a name is assigned to (+=)
    booleans      and to or, a negation left out, a plain condition negated
    returns       one more, the opposite, or None, by what the function says that it returns
    numbers       one more, in handlers/ alone: there each is part of a promise, while in streams/ most are timeouts

Left alone: annotations, decorators, assertions, texts.
"""

import ast
import re
from pathlib import Path
from typing import NamedTuple

from tests.mutants.tree import ROOT

MUTATED = ("handlers", "streams")
WITH_NUMBERS = "handlers"

_COMPARED: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
_COMPUTED: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "+"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "+"),
    ast.Pow: ("**", "*"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
    ast.BitXor: ("^", "|"),
}
_RETURNED = {"bool": "not ({})", "int": "({}) + 1", "float": "({}) + 1", "str": '({}) + "x"', "bytes": '({}) + b"x"'}


class Mutation(NamedTuple):
    """One change: in `file` (relative to the repository) the characters from `start` to `end` become `new`."""

    file: str
    line: int
    start: int
    end: int
    new: str
    function: str
    """Where it is: the name of the function, with those around it; empty on the level of the module."""
    code: str
    """The lines that it touches, as they are, indentation and line ends taken as one blank."""
    becomes: str
    statement: tuple[int, int]
    """First and last line of the statement; of one with a body, of what stands before that."""
    is_number: bool

    def applied(self, text: str) -> str:
        """The file's text, changed."""
        return text[: self.start] + self.new + text[self.end :]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.code}\n    becomes {self.becomes}"


def mutations() -> list[Mutation]:
    """Every one there is, in the order of the files and of their text."""
    files = sorted(file for part in MUTATED for file in (ROOT / part).rglob("*.py"))
    return [one for file in files for one in mutations_of(file.relative_to(ROOT).as_posix(), file.read_text("utf-8"))]


def mutations_of(file: str, text: str) -> list[Mutation]:
    """Those of one file."""
    found = _Finder(file, text)
    found.visit(ast.parse(text))
    return sorted(set(found.mutations), key=lambda one: (one.start, one.end, one.new))


class _Finder(ast.NodeVisitor):
    def __init__(self, file: str, text: str) -> None:
        self.mutations: list[Mutation] = []
        self._file, self._text = file, text
        self._lines = text.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))
        self._statement = (1, 1)
        self._names: list[str] = []
        self._returns: list[str] = []
        self._numbers = Path(file).parts[0] == WITH_NUMBERS

    def visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.Assert | ast.JoinedStr):  # 3.11 does not say where the parts of an f-string stand
            return
        if isinstance(node, ast.stmt):
            body: list[ast.stmt] = getattr(node, "body", [])
            self._statement = (node.lineno, max(node.lineno, body[0].lineno - 1) if body else node.end_lineno or 0)
        super().visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._names.append(node.name)
        self._returns.append("" if node.returns is None else ast.unparse(node.returns))
        for default in (*node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(default)
        for statement in node.body:
            self.visit(statement)
        self._names.pop()
        self._returns.pop()

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._names.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self._names.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Compare(self, node: ast.Compare) -> None:
        terms = [node.left, *node.comparators]
        for left, op, right in zip(terms, node.ops, terms[1:], strict=False):
            old, others = _COMPARED[type(op)]
            for new in others:
                self._between(left, right, old, new)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        old, new = _COMPUTED[type(node.op)]
        if not isinstance(node.op, ast.BitOr) or not (_is_type(node.left) or _is_type(node.right)):
            self._between(node.left, node.right, old, new)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        old, new = _COMPUTED[type(node.op)]
        self._between(node.target, node.value, f"{old}=", f"{new}=")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._between(left, right, old, new)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        start = self._place(node)
        if isinstance(node.op, ast.Not):
            self._add(start, start + len("not "), "")
        elif isinstance(node.op, ast.USub):
            self._add(start, start + 1, "+")
            if isinstance(node.operand, ast.Constant):
                return
        elif isinstance(node.op, ast.Invert):
            self._add(start, start + 1, "")
        self.generic_visit(node)

    def visit_If(self, node: ast.If | ast.IfExp) -> None:
        if isinstance(node.test, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.NamedExpr | ast.BinOp):
            start, end = self._place(node.test), self._end(node.test)
            self._add(start, end, f"not ({self._text[start:end]})")
        self.generic_visit(node)

    visit_IfExp = visit_If  # noqa: N815

    def visit_Return(self, node: ast.Return) -> None:
        value = node.value
        if value is not None and not (isinstance(value, ast.Constant) and value.value is None):
            start, end = self._place(node) + len("return "), self._end(node)
            form = _RETURNED.get(self._returns[-1], "None")
            self._add(start, end, form.format(self._text[start:end]))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if self._numbers and type(node.value) in (int, float):
            start, end = self._place(node), self._end(node)
            if not (self._text[start - 1] == "-" and node.value == 1):  # -1 to -2 says little
                self._add(start, end, repr(node.value + 1), is_number=True)

    def _between(self, left: ast.expr, right: ast.expr, old: str, new: str) -> None:
        """The operator that stands between two expressions; there may be brackets and line ends about it."""
        start, end = self._end(left), self._place(right)
        sign = re.escape(old).replace(r"\ ", r"\s+")
        found = re.search(rf"\b{sign}\b" if old[0].isalpha() else sign, self._text[start:end])
        assert found is not None, (self._file, left.lineno, old)
        self._add(start + found.start(), start + found.end(), new)

    def _add(self, start: int, end: int, new: str, is_number: bool = False) -> None:
        first, last = self._line_of(start), self._line_of(end)
        before, after = self._starts[first], self._starts[last + 1]
        now = self._text[before:start] + new + self._text[end:after]
        place, function = first + 1, ".".join(self._names)
        was = self._text[before:after]
        self.mutations.append(
            Mutation(self._file, place, start, end, new, function, _flat(was), _flat(now), self._statement, is_number)
        )

    def _line_of(self, place: int) -> int:
        line = 0
        while line + 1 < len(self._lines) and self._starts[line + 1] <= place:
            line += 1
        return line

    def _place(self, node: ast.expr | ast.stmt) -> int:
        return self._at(node.lineno, node.col_offset)

    def _end(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._at(node.end_lineno, node.end_col_offset)

    def _at(self, line: int, column: int) -> int:
        """A place in the text; ast counts columns in bytes."""
        return self._starts[line - 1] + len(self._lines[line - 1].encode()[:column].decode())


def _flat(lines: str) -> str:
    return " ".join(line.strip() for line in lines.splitlines()).strip()


def _is_type(node: ast.expr) -> bool:
    """Whether it stands in a type such as `int | None`, rather than in a sum of bits."""
    return (isinstance(node, ast.Constant) and node.value is None) or (
        isinstance(node, ast.Name) and node.id in ("int", "str", "bytes", "float")
    )
