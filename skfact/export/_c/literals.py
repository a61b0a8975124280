"""Names and numbers as C spells them."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import numpy as np

# of C23 and C++23: what is none in C99 may be one where the file is used next
KEYWORDS = """
    alignas alignof and and_eq asm atomic auto bitand bitor bool break case catch char char16_t
    char32_t char8_t class co_await co_return co_yield compl complex concept const const_cast
    consteval constexpr constinit continue decltype default delete do double dynamic_cast else enum
    explicit export extern false float for friend goto if imaginary import inline int long main
    module mutable namespace new noexcept noreturn not not_eq nullptr operator or or_eq private
    protected public register reinterpret_cast requires restrict return short signed size_t sizeof
    static static_assert static_cast struct switch template this thread_local throw true try
    typedef typeid typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t
    while xor xor_eq
"""


def check_name(name: Any) -> None:
    """Raise unless a function of C and C++ may be called so."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, got {name!r}.")
    if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name, re.ASCII) or "__" in name:
        raise ValueError(
            "name must be a C identifier: a letter, then letters, digits and single underscores, "
            f"got {name!r}."
        )
    if name in KEYWORDS.split():
        raise ValueError(f"name must not be a word of C or C++, got {name!r}: take another one.")


def table(name: str, numbers: np.ndarray, kind: str) -> str:
    """A constant table of float, double or int, whose decimal digits give back each number."""
    suffix = "f" if kind == "float" else ""
    texts = [text + suffix for text in numbers.ravel().astype(str).tolist()]
    lines = textwrap.wrap(", ".join(texts), 96, break_long_words=False, break_on_hyphens=False)
    body = "\n".join(f"    {line}" for line in lines)
    return f"static const {kind} {name}[{numbers.size}] = {{\n{body}\n}};\n"
