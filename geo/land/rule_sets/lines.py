"""On which line of a TOML text each key stands; the parser of the standard library does not tell."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left

KeyPath = tuple[str | int, ...]

_KEY = re.compile(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[A-Za-z0-9_-]+')
_TEXT = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL
)  # Up to two quotes may stand before the three that end a text of several lines.
_PLAIN = re.compile(r"[^,\]}#\n]*")
_BLANK = re.compile(r"[ \t]*")
_NOTHING = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")


def lines_of(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of every table, key and list element of a TOML text that the parser accepts.

    The path of a key is what leads to its value in the parsed document: ``("inefficient", 0, "when", 1, "unit")``.
    """
    return _Scanner(text).scanned()


def line_of(lines: dict[KeyPath, int], path: KeyPath) -> int | None:
    """The line of a key, or of the nearest thing around it that has one."""
    return next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), None)


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.ends = [match.start() for match in re.finditer("\n", text)]
        self.lines: dict[KeyPath, int] = {}
        # Arrays of tables: how many elements have begun.
        self.begun: dict[KeyPath, int] = {}

    def scanned(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        while self._next() < len(self.text):
            start = self.at
            if self.text.startswith("[", start):
                brackets = 2 if self.text.startswith("[[", start) else 1
                self.at += brackets
                table = self._table(self._key(), element=brackets == 2)
                self.at += brackets
                for end in range(1, len(table) + 1):
                    self._note(table[:end], start)
            else:
                self._entry(table)
        return self.lines

    def _next(self) -> int:
        """Past blanks, line ends and comments."""
        self.at = self._past(_NOTHING)
        return self.at

    def _past(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self.text, self.at)
        return match.end() if match else self.at

    def _note(self, path: KeyPath, at: int) -> None:
        self.lines.setdefault(path, bisect_left(self.ends, at) + 1)

    def _key(self) -> tuple[str, ...]:
        parts = []
        while True:
            self.at = self._past(_BLANK)
            end = self._past(_KEY)
            parts.append(_unquoted(self.text[self.at : end]))
            self.at = end
            self.at = self._past(_BLANK)
            if not self.text.startswith(".", self.at):
                return tuple(parts)
            self.at += 1

    def _table(self, parts: tuple[str, ...], *, element: bool) -> KeyPath:
        """Where a header leads: through the last element of every array of tables on its way."""
        path: KeyPath = ()
        for part in parts[:-1]:
            path = (*path, part)
            if path in self.begun:
                path = (*path, self.begun[path] - 1)
        path = (*path, parts[-1])
        if element:
            self.begun[path] = self.begun.get(path, 0) + 1
            path = (*path, self.begun[path] - 1)
        return path

    def _entry(self, table: KeyPath) -> None:
        start = self.at
        parts = self._key()
        for end in range(1, len(parts) + 1):
            self._note((*table, *parts[:end]), start)
        self.at += 1  # the equals sign
        self._value((*table, *parts))

    def _value(self, path: KeyPath) -> None:
        self.at = self._past(_BLANK)
        match self.text[self.at]:
            case '"' | "'":
                self.at = self._past(_TEXT)
            case "[":
                self.at += 1
                index = 0
                while self.text[self._next()] != "]":
                    if self.text[self.at] == ",":
                        self.at += 1
                        continue
                    self._note((*path, index), self.at)
                    self._value((*path, index))
                    index += 1
                self.at += 1
            case "{":
                self.at += 1
                while self.text[self._next()] != "}":
                    if self.text[self.at] == ",":
                        self.at += 1
                        continue
                    self._entry(path)
                self.at += 1
            case _:
                self.at = self._past(_PLAIN)


def _unquoted(token: str) -> str:
    if token.startswith('"'):
        text: str = tomllib.loads(f"key = {token}")["key"]
        return text
    return token.strip("'")
