"""What is wrong with the text of an expression, and where. Imported for the first error."""

from __future__ import annotations

from forzium.expressions import Builder, Refusal, parse


class MissingName(KeyError, ValueError):
    """A name of an expression that nobody has given a value: KeyError, as numexpr's, and a bad value."""

    def __str__(self) -> str:
        return str(self.args[0])


class BadSyntax(SyntaxError, ValueError):
    """Text that is no expression: SyntaxError, as Python's, and a bad value."""


def place_refusal(text: str, refusal: Refusal) -> Exception:
    """The error for what the walk of the text's tree refused."""
    node = refusal.node
    line = text.strip().split("\n")[node.lineno - 1].encode()
    column = len(line[: node.col_offset].decode(errors="replace")) + 1
    return refusal.kind(f"expression: {_place(text, node.lineno, column)}: {refusal.message}")


def place_syntax_error(text: str, error: Exception) -> Exception:
    """The error for what Python's parser refused."""
    if isinstance(error, SyntaxError):
        place = _place(text, error.lineno or 1, max(error.offset or 0, 1))
        return BadSyntax(f"expression: {place}: {error.msg}", *error.args[1:2])
    if isinstance(error, ValueError):  # a lone surrogate; in some versions a zero byte
        place = _place(text, 1, getattr(error, "start", 0) + 1)
        return BadSyntax(f"expression: {place}: {error}")
    return ValueError("expression: it is nested too deeply for Python's parser; split it")


def _place(text: str, line: int, column: int) -> str:
    """A place in the text without the space around it, counted in characters, as one in the text."""
    above = text[: len(text) - len(text.lstrip())]
    if line == 1:
        column += len(above) - (above.rfind("\n") + 1)
    line += above.count("\n")
    return f"column {column}" if line == 1 else f"line {line}, column {column}"


class _Searcher(Builder):
    """Builds until it meets the name that has no value."""

    def __init__(self, missing: str) -> None:
        super().__init__()
        self.missing = missing

    def name(self, name: str) -> int:
        if name == self.missing:
            raise MissingName(f"the name {name} has no value")
        return super().name(name)


def fail_missing(text: str | None, name: str) -> None:
    """Raises what a name deserves that has no value: with its place, where there is a text."""
    if text is None:
        raise MissingName(f"evaluate: the name {name} has no value")
    parse(text, _Searcher(name))
    raise AssertionError(f"{name} is not in the text")
