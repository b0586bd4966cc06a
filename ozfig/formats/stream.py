"""A JSON file's rows one at a time: those of a list, or of the one list that an object holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

CHUNK = 1 << 16  # characters
LONGEST_ROW = 100_000_000  # characters; what is longer than this is a broken file
EXPECTED = "a list of rows is expected, or an object that holds one such list"


class NotRows(ValueError):
    """The file is not JSON, or holds no list of rows; the message says which."""


class JsonStream:
    """Reads JSON from a text file with a buffer that holds one row and what was read with it."""

    def __init__(self, text: IO[str]) -> None:
        self._text = text
        self._buffer, self._at = "", 0
        self._ended = False
        self._decoder = json.JSONDecoder()

    def rows(self) -> Iterator[Any]:
        """The rows. Raises NotRows."""
        opening = self._sign()
        if opening == "[":
            self._at += 1
            yield from self._items()
        elif opening == "{":
            self._at += 1
            yield from self._only_list()
        else:
            raise NotRows("not valid JSON" if opening else "the file is empty")
        if self._sign():
            raise NotRows("not valid JSON: something follows its end")

    def _only_list(self) -> Iterator[Any]:
        """The rows of the one list of objects among an object's values."""
        lists = 0
        while self._member():
            if self._sign() == "[" and self._holds_objects():
                lists += 1
                if lists > 1:
                    break
                self._at += 1
                yield from self._items()
            else:
                self._value()
        if lists != 1:
            raise NotRows(EXPECTED)

    def _member(self) -> bool:
        """Go on to an object's next value; False at its end."""
        sign = self._sign()
        if sign == ",":
            self._at += 1
            sign = self._sign()
        if sign == "}":
            self._at += 1
            return False
        self._value()
        if self._sign() != ":":
            raise NotRows("not valid JSON")
        self._at += 1
        return True

    def _holds_objects(self) -> bool:
        """Whether the list that begins here has objects in it."""
        self._at += 1
        sign = self._sign()
        # the blanks between are passed over, the bracket is not
        self._buffer, self._at = "[" + self._buffer[self._at :], 0
        return sign == "{"

    def _items(self) -> Iterator[Any]:
        """The items of a list whose bracket has been read."""
        first = True
        while (sign := self._sign()) != "]":
            if not first:
                if sign != ",":
                    raise NotRows("not valid JSON" if sign else "the file is cut off")
                self._at += 1
                self._sign()
            yield self._value()
            first = False
        self._at += 1

    def _sign(self) -> str:
        """The next character that is no blank, without passing it; empty at the end of the file."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in " \t\r\n":
                self._at += 1
            if self._at < len(self._buffer) or not self._more():
                return self._buffer[self._at : self._at + 1]

    def _value(self) -> Any:
        """The value that begins here."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except ValueError as error:
                if self._more():
                    continue
                raise NotRows(f"not valid JSON: {error}") from None
            except RecursionError:
                raise NotRows("lists within lists without end") from None
            # a number that ends with the buffer may go on behind it
            if self._buffer[end:].strip("0123456789.eE+-") or not self._more():
                self._at = end
                return value

    def _more(self) -> bool:
        """Read on; False when there is nothing more, or more than a row can be."""
        held = len(self._buffer) - self._at
        if self._ended or held > LONGEST_ROW:
            return False
        # as much again as is held, so that a long row is not tried many times
        read = self._text.read(max(CHUNK, held))
        self._ended = not read
        self._buffer, self._at = self._buffer[self._at :] + read, 0
        return bool(read)
