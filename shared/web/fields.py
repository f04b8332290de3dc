"""The fields of request and answer bodies: strict on the way in, one wire form on the way out.

JSON types are not coerced: `"5"` is no integer and `1` is no boolean. Values that come as text (query, form)
are turned into JSON types by the request pipeline before a schema sees them."""

from __future__ import annotations

import decimal
import enum
import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from marshmallow import ValidationError, validate
from marshmallow.fields import Boolean as _Boolean
from marshmallow.fields import Date as _Date
from marshmallow.fields import Dict, Field, Nested, Raw, String
from marshmallow.fields import Integer as _Integer
from marshmallow.fields import List as _List

from shared.kernel.money import Money, minor_units

__all__ = [
    "Boolean",
    "Date",
    "Decimal",
    "Dict",
    "Email",
    "Enum",
    "Field",
    "Id",
    "Integer",
    "List",
    "MoneyColumns",
    "MoneyField",
    "Nested",
    "Phone",
    "PriceText",
    "Raw",
    "Sort",
    "String",
    "Text",
    "Timestamp",
]

_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,12})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_EMAIL = re.compile(
    r"[^\s@\"(),:;<>\[\]\\]{1,64}@(?:[^\s@.,;:<>()\[\]\"\\]{1,63}\.)+[^\s@.,;:<>()\[\]\"\\]{2,63}"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)
_INT8 = validate.Range(-(2**63), 2**63 - 1)


def _validators(given: Any, *more: Any) -> list[Any]:
    """`given` (None, one validator or several) and `more` as one list."""
    if given is None:
        return list(more)
    return [*more, *(given if isinstance(given, Iterable) and not callable(given) else [given])]


class Id(Field[uuid.UUID]):
    """A UUID as text in its canonical form."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else str(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> uuid.UUID:
        if isinstance(value, str) and len(value) == 36:
            try:
                return uuid.UUID(value)
            except ValueError:
                pass
        raise ValidationError("Not an id: a UUID is expected.")


class Timestamp(Field[datetime]):
    """An instant: RFC 3339 with a zone on the way in, UTC with `Z` on the way out."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        if value is None:
            return None
        return str(value.astimezone(UTC).isoformat().replace("+00:00", "Z"))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        if isinstance(value, str) and _RFC3339.fullmatch(value):
            try:
                return datetime.fromisoformat(value.upper()).astimezone(UTC)
            except (ValueError, OverflowError):
                pass
        raise ValidationError("Not an instant: RFC 3339 with a time zone is expected.")


class Date(_Date):
    """A calendar day, `YYYY-MM-DD`."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        if isinstance(value, str) and _DAY.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        raise ValidationError("Not a date: YYYY-MM-DD is expected.")


class Boolean(_Boolean):
    """`true` or `false`, nothing that merely looks like it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if isinstance(value, bool):
            return value
        raise ValidationError("Not a boolean.")


class Integer(_Integer):
    """A whole number between `min` and `max`, both inclusive; without them what a bigint column holds."""

    def __init__(self, *, min: int | None = None, max: int | None = None, **kwargs: Any) -> None:
        bounds = _INT8 if min is None and max is None else validate.Range(min, max)
        super().__init__(strict=True, validate=_validators(kwargs.pop("validate", None), bounds), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise ValidationError("Not a whole number.")


class List(_List[Any]):
    """Several values of one kind."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        try:
            return super()._deserialize(value, attr, data, **kwargs)
        except ValidationError as error:
            # Without the halves of items that could be read: a schema's own checks of the list would stumble.
            raise ValidationError(error.messages) from None


class Decimal(Field[decimal.Decimal]):
    """An exact number as a string, `"12.5"`: at most `places` decimals, no exponent, no NaN."""

    def __init__(
        self,
        *,
        places: int = 6,
        min: decimal.Decimal | int | None = None,
        max: decimal.Decimal | int | None = None,
        **kwargs: Any,
    ) -> None:
        bounds = [] if min is None and max is None else [validate.Range(min, max)]
        super().__init__(validate=_validators(kwargs.pop("validate", None), *bounds), **kwargs)
        self._places = places

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else format(value, "f")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> decimal.Decimal:
        if not isinstance(value, str) or not _PLAIN_NUMBER.fullmatch(value):
            raise ValidationError('Not a decimal: a string such as "12.50" is expected.')
        if len(value.partition(".")[2]) > self._places:
            raise ValidationError(f"At most {self._places} decimals.")
        return decimal.Decimal(value)


class PriceText(Decimal):
    """A price per unit, not negative, at most 6 decimals, kept as the text it came in (prices live in
    JSON)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(places=6, min=0, **kwargs)

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """The checked text."""
        number = super().deserialize(value, *args, **kwargs)
        return format(number, "f") if isinstance(number, decimal.Decimal) else number


class MoneyField(Field[Money]):
    """`{"amount": "1250.00", "currency": "EUR"}` <-> `Money`. More decimals than the currency has are refused
    rather than rounded, and so are NaN, exponents and JSON numbers. `min`: smallest amount allowed."""

    def __init__(self, *, min: decimal.Decimal | int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._min = min

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> dict[str, str] | None:
        return None if value is None else value.to_data()

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Money:
        if not isinstance(value, Mapping) or set(value) != {"amount", "currency"}:
            raise ValidationError('Not money: {"amount": "1250.00", "currency": "EUR"} is expected.')
        amount, currency = value["amount"], value["currency"]
        if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
            raise ValidationError({"currency": ["Not an ISO 4217 code."]})
        if not isinstance(amount, str) or not _PLAIN_NUMBER.fullmatch(amount):
            raise ValidationError({"amount": ['Not an amount: a string such as "1250.00" is expected.']})
        try:
            decimals = minor_units(currency)
        except ValueError:
            raise ValidationError({"currency": ["Not an ISO 4217 code."]}) from None
        if len(amount.partition(".")[2]) > decimals:
            raise ValidationError({"amount": [f"{currency} has {decimals} decimals."]})
        money = Money(decimal.Decimal(amount), currency)
        if self._min is not None and money.amount < self._min:
            raise ValidationError({"amount": [f"Must be at least {self._min}."]})
        return money


class MoneyColumns(Field[Money]):
    """Out only: money of a listed row, from its columns `<name>` and `<name>_currency`."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(dump_only=True, allow_none=True, **kwargs)
        self._currency = f"{name}_currency"

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> dict[str, str] | None:
        return None if value is None else Money.of(value, getattr(obj, self._currency)).to_data()


class Text(String):
    """Text of `min`..`max` characters after the white space around it is cut off."""

    def __init__(self, max: int = 500, *, min: int = 1, **kwargs: Any) -> None:
        length = validate.Length(min=min, max=max)
        super().__init__(validate=_validators(kwargs.pop("validate", None), length), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return super()._deserialize(value, attr, data, **kwargs).strip()


class Enum(String):
    """One of some words: `Enum("call", "email")` gives strings, `Enum(Stage)` members of a `StrEnum`."""

    def __init__(self, *words: str | type[enum.StrEnum], **kwargs: Any) -> None:
        first = words[0]
        self._kind = None if isinstance(first, str) else first
        choices = list(words) if isinstance(first, str) else [member.value for member in first]
        super().__init__(
            validate=_validators(kwargs.pop("validate", None), validate.OneOf(choices)), **kwargs
        )

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        """The word, checked; as a member where the field was made from an enumeration."""
        word = super().deserialize(value, *args, **kwargs)
        return self._kind(word) if self._kind is not None and isinstance(word, str) else word


class Sort(String):
    """The order of a list: one of `keys`, with a leading `-` for descending."""

    def __init__(self, *keys: str, default: str, **kwargs: Any) -> None:
        choices = validate.OneOf([form for key in keys for form in (key, f"-{key}")])
        super().__init__(validate=choices, load_default=default, **kwargs)


class Email(Text):
    """An e-mail address, checked for shape only; kept as written."""

    def __init__(self, **kwargs: Any) -> None:
        shape = validate.Regexp(re.compile(rf"\A(?:{_EMAIL.pattern})\Z"), error="Not an e-mail address.")
        super().__init__(254, validate=_validators(kwargs.pop("validate", None), shape), **kwargs)


class Phone(Text):
    """A telephone number in E.164 form; spaces, dots, dashes and brackets are dropped."""

    def __init__(self, **kwargs: Any) -> None:
        shape = validate.Regexp(
            re.compile(rf"\A(?:{_E164.pattern})\Z"), error="Not a number like +4930123456."
        )
        super().__init__(40, validate=_validators(kwargs.pop("validate", None), shape), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return re.sub(r"[\s().\-/]", "", super()._deserialize(value, attr, data, **kwargs))
