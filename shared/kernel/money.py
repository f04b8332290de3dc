"""Money: a decimal amount in one ISO 4217 currency, rounded half up to the currency's minor unit.

There is one rounding function for the whole suite. Floats are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fractions import Fraction

__all__ = ["MINOR_UNITS", "CurrencyMismatch", "Money", "allocate", "minor_units", "round_minor"]

# ISO 4217 exponents that differ from 2; every other known currency has two decimals.
_EXPONENTS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    2: (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD "
        "CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD "
        "HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD "
        "MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON "
        "RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD "
        "TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
    ),
}
MINOR_UNITS: dict[str, int] = {
    code: exponent for exponent, codes in _EXPONENTS.items() for code in codes.split()
}
_QUANTA = {0: Decimal(1), 2: Decimal("0.01"), 3: Decimal("0.001")}


class CurrencyMismatch(ValueError):
    """Two amounts of different currencies were added, subtracted or compared."""


def minor_units(currency: str) -> int:
    """How many decimals `currency` has. Raises ValueError for a code that is not in ISO 4217."""
    try:
        return MINOR_UNITS[currency]
    except KeyError:
        raise ValueError(f"{currency!r} is not an ISO 4217 currency code") from None


def round_minor(amount: Decimal, currency: str) -> Decimal:
    """`amount` rounded half up (away from zero on a tie) to the minor unit of `currency`.

    Raises ValueError for what is not finite or has more than 26 digits.
    """
    quantum = _QUANTA[minor_units(currency)]
    try:
        rounded = amount.quantize(quantum, rounding=ROUND_HALF_UP)
    except InvalidOperation:
        raise ValueError(f"{amount} is no amount of money") from None
    # There is no negative nothing: "-0.00" would be another text for the same amount.
    return rounded if rounded else abs(rounded)


def _exact(figure: Decimal | int | str) -> Decimal:
    if isinstance(figure, float):
        raise ValueError("a float is not exact, so it is no amount of money")
    try:
        return Decimal(figure)
    except (InvalidOperation, TypeError):
        raise ValueError(f"{figure!r} is no amount of money") from None


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount. `amount` keeps the currency's decimals; construct unrounded figures via `Money.of`."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal) or not self.amount.is_finite():
            raise ValueError("a money amount is a finite Decimal")
        rounded = round_minor(self.amount, self.currency)
        if rounded != self.amount:
            raise ValueError(
                f"{self.currency} has {minor_units(self.currency)} decimals, {self.amount} has more"
            )
        object.__setattr__(self, "amount", rounded)

    @classmethod
    def of(cls, amount: Decimal | int | str, currency: str) -> Money:
        """Money from an unrounded figure: rounds half up to the minor unit. Raises ValueError."""
        return cls(round_minor(_exact(amount), currency), currency)

    @classmethod
    def zero(cls, currency: str) -> Money:
        """Nothing, in `currency`."""
        return cls.of(0, currency)

    def __composite_values__(self) -> tuple[Decimal, str]:
        """The two columns that SQLAlchemy stores an amount in."""
        return self.amount, self.currency

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not mix")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.amount < other.amount

    def __le__(self, other: Money) -> bool:
        self._same(other)
        return self.amount <= other.amount

    def times(self, factor: Decimal | int) -> Money:
        """This amount times `factor`, rounded half up."""
        return Money.of(self.amount * factor, self.currency)

    def to_data(self) -> dict[str, str]:
        """The wire form: `{"amount": "1250.00", "currency": "EUR"}`."""
        return {"amount": str(self.amount), "currency": self.currency}

    @classmethod
    def from_data(cls, data: dict[str, str]) -> Money:
        """The reverse of `to_data`. Raises ValueError on anything that is not exact money."""
        try:
            amount, currency = data["amount"], data["currency"]
        except (KeyError, TypeError):
            raise ValueError("money has an amount and a currency") from None
        return cls(_exact(amount), currency)


def allocate(total: Money, weights: Sequence[Decimal | int]) -> list[Money]:
    """Split `total` by `weights` without losing a minor unit.

    Largest remainder (Hamilton's method): floors first, left-over units to the largest remainders, ties to
    the earlier position. A negative total is split as its positive mirror image, so that a credit takes back
    what was charged. Raises ValueError when a weight is negative or none is positive.
    """
    exact = [Fraction(weight) for weight in weights]
    weight_sum = sum(exact)
    if weight_sum <= 0 or min(exact) < 0:
        raise ValueError("weights are not negative and add up to more than zero")
    decimals = minor_units(total.currency)
    units = int(total.amount.scaleb(decimals))
    sign = -1 if units < 0 else 1
    shares = [abs(units) * weight / weight_sum for weight in exact]
    floors = [int(share) for share in shares]
    left_over = abs(units) - sum(floors)
    by_remainder = sorted(range(len(shares)), key=lambda i: (floors[i] - shares[i], i))
    for i in by_remainder[:left_over]:
        floors[i] += 1
    return [Money(Decimal(sign * floor).scaleb(-decimals), total.currency) for floor in floors]
