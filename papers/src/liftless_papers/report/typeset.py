"""Plain text of titles, axes and legends, set as mathematics where it has indices or powers."""

import re

#: What may stand before an index: one letter (a Greek one too, with what is above it), a bracket.
_BASE = (
    r"(?:(?<![A-Za-z0-9_\u0300-\u036f])[A-Za-z\u0391-\u03c9\U0001d4b3](?:[\u0300-\u036f])?[*]?"
    r"|‖|\)|\]|(?<![\d.])\d+)"
)
_PART = r"(?:\{[^}]*\}|\([^()]*\)|[-−]?[A-Za-z0-9\u0391-\u03c9⊥*#]+)"
_TERM = re.compile(rf"({_BASE})(_{_PART})?(\^{_PART}|(?<=[^\W]|[)}}])[²³ᵀ])?(_{_PART})?")
_WORDS = {
    "rho": "ρ",
    "eta": "η",
    "eps": "ε",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "sigma": "σ",
    "lambda": "λ",
}
_NAMES = re.compile(rf"(?<![A-Za-z])({'|'.join(_WORDS)})(?![A-Za-z])")
#: Signs that mathtext knows by a command only.
_SIGNS = {"‖": r"\Vert ", "⊥": r"\perp ", "−": "-", "#": r"\#", "𝒳": r"\mathcal{X}"}

_RAISED = {"²": "2", "³": "3", "ᵀ": r"\top"}


def typeset(text: str) -> str:
    """Return a label with its indices and powers as mathtext; one with a $ in it is left alone.

    Greek letters that are spelled out become letters: "rho^2" is ρ², "H_1^1" has both.
    """
    if "$" in text:
        return text
    return _TERM.sub(_set, _NAMES.sub(lambda found: _WORDS[found[1]], text))


def _set(found: re.Match[str]) -> str:
    base, low, high, more = found.groups()
    if not (low or more or (high and high[0] == "^")):
        return found[0]
    set_parts = [f"_{{{_inner(part[1:])}}}" for part in (low, more) if part]
    if high:
        set_parts.append(f"^{{{_inner(high[1:]) if high[0] == '^' else _RAISED[high]}}}")
    return f"${_signs(base)}{''.join(set_parts)}$"


def _inner(part: str) -> str:
    if part[0] in "{(" and part[-1] in "})":
        part = part[1:-1]
    # A word is upright, a letter is a variable.
    word = part.isascii() and part.isalpha() and len(part) > 1
    return rf"\mathrm{{{part}}}" if word else _signs(part)


def _signs(text: str) -> str:
    return "".join(_SIGNS.get(letter, letter) for letter in text)
