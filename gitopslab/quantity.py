"""Kubernetes quantities (`250m`, `1.5Gi`, `1e3`) as exact decimals; the SQL twin is in queries/macros.sql."""

import re
from decimal import ROUND_UP, Context, Decimal

from gitopslab.errors import UsageError

_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]{1,29}(?:\.[0-9]{0,20})?|\.[0-9]{1,20}))"
    r"(?:(?P<binary>[KMGTPE]i)|(?P<decimal>[numkMGTPE])|[eE](?P<exponent>[+-]?[0-9]{1,3}))?"
)
_POWERS_OF_TWO = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_POWERS_OF_TEN = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_LARGEST_BINARY = Decimal(2**63 - 1)
_NANO = Decimal("1e-9")
_LIMIT = Decimal("1e29")
_EXACT = Context(prec=128)
_RIGHT = "write a number such as 2, 250m, 1.5Gi or 1e3"


def parse_quantity(text: str | int) -> Decimal:
    """Return the value of a quantity, exact to 1n, as Kubernetes reads it.

    What is finer than 1n is rounded away from zero; with a binary suffix, what exceeds 2^63-1 is 2^63-1.
    Readable are up to 29 digits before the point, 20 after it and 3 in an exponent, for values that a
    DECIMAL(38,9) holds.

    Raises:
        UsageError: `text` is no quantity, or 1e29 or more.
    """
    if isinstance(text, int):
        return _checked(Decimal(text), text)
    found = _QUANTITY.fullmatch(text)
    if found is None:
        raise UsageError(f"quantity {text[:80]!r}: not a quantity; {_RIGHT}")
    number = Decimal(found["number"])
    if found["binary"]:
        value = _EXACT.multiply(number, Decimal(2 ** _POWERS_OF_TWO[found["binary"]]))
        return _checked(max(-_LARGEST_BINARY, min(value, _LARGEST_BINARY)), text)
    power = int(found["exponent"] or _POWERS_OF_TEN.get(found["decimal"], 0))
    return _checked(number.scaleb(power, _EXACT), text)


def _checked(value: Decimal, text: str | int) -> Decimal:
    if not value:
        return Decimal(0)
    if value.copy_abs() < _LIMIT:
        rounded = value.quantize(_NANO, rounding=ROUND_UP, context=_EXACT)
        if rounded.copy_abs() < _LIMIT:
            return rounded
    shown = f"{value:.3e}" if isinstance(text, int) else repr(text)
    raise UsageError(f"quantity {shown}: too large; {_RIGHT}, below 1e29")
