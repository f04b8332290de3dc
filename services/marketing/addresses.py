"""Reading what people type about themselves: mailboxes, telephone numbers and names, in forms that can be compared."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from anyascii import anyascii
from email_validator import EmailNotValidError, validate_email
from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    format_number,
    is_valid_number,
    parse,
    region_code_for_number,
)

__all__ = [
    "DISPOSABLE_DOMAINS",
    "FREE_MAIL_DOMAINS",
    "ROLE_MAILBOXES",
    "company_domain",
    "domain_in",
    "email_key",
    "fold",
    "fold_company",
    "phone_e164",
    "phone_region",
]

DISPOSABLE_DOMAINS = frozenset(
    {
        *("10minutemail.com", "dispostable.com", "fakeinbox.com", "getnada.com", "guerrillamail.com"),
        *("mailcatch.com", "maildrop.cc", "mailinator.com", "mailnesia.com", "mintemail.com", "mohmal.com"),
        *("moakt.com", "sharklasers.com", "spam4.me", "temp-mail.org", "tempmail.com", "tempr.email"),
        *("throwawaymail.com", "trashmail.com", "wegwerfmail.de", "yopmail.com"),
    }
)
"""Mailboxes that anybody may open and nobody keeps."""

FREE_MAIL_DOMAINS = frozenset(
    {
        *("163.com", "aol.com", "gmail.com", "gmx.at", "gmx.ch", "gmx.de", "gmx.net", "googlemail.com"),
        *("hotmail.com", "icloud.com", "live.com", "mail.ru", "msn.com", "outlook.com", "proton.me"),
        *("protonmail.com", "qq.com", "t-online.de", "web.de", "yahoo.com", "yandex.ru", "zoho.com"),
    }
)
"""Domains that say nothing about the company behind a mailbox."""

ROLE_MAILBOXES = frozenset(
    {
        *("info", "admin", "sales", "support", "contact", "office", "noreply", "no-reply", "postmaster"),
        *("webmaster", "abuse", "test"),
    }
)
"""Mailboxes of a function, not of a person."""

_DOTLESS = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}
_LEGAL_FORM = re.compile(
    r"\b(gmbh|ag|kg|ohg|ug|se|inc|llc|ltd|limited|corp|corporation|plc|sa|sas|sarl|srl|spa|bv|nv|oy|ab|as)\b"
)


@lru_cache(maxsize=128)
def email_key(email: str | None) -> str | None:
    """The mailbox that `email` reaches, so that spellings of one mailbox are equal; None where it is no address.

    Lower case, IDNA domain, without `+tag`; Gmail ignores dots, and googlemail.com is gmail.com. Asks no network.
    """
    if not email:
        return None
    try:
        valid = validate_email(email, check_deliverability=False)
    except EmailNotValidError:
        return None
    domain = valid.ascii_domain.lower()
    mailbox = valid.local_part.lower().partition("+")[0] or valid.local_part.lower()
    if domain in _DOTLESS:
        domain, mailbox = _DOTLESS[domain], mailbox.replace(".", "")
    return f"{mailbox}@{domain}"


def company_domain(key: str | None) -> str | None:
    """The domain of an `email_key` that belongs to a company; None for free and disposable mailboxes."""
    domain = key.rpartition("@")[2] if key else None
    if not domain or domain_in(domain, FREE_MAIL_DOMAINS) or domain_in(domain, DISPOSABLE_DOMAINS):
        return None
    return domain


def domain_in(domain: str, listed: frozenset[str]) -> bool:
    """Whether `domain` or one of its parents is `listed`."""
    labels = domain.split(".")
    return any(".".join(labels[start:]) in listed for start in range(len(labels) - 1))


def phone_e164(phone: str | None, country: str | None) -> str | None:
    """A valid telephone number in E.164 form, read as one of `country` (ISO 3166-1) without a prefix; else None."""
    if not phone:
        return None
    try:
        number = parse(phone, country)
    except NumberParseException:
        return None
    return format_number(number, PhoneNumberFormat.E164) if is_valid_number(number) else None


def phone_region(e164: str) -> str | None:
    """The country of a valid number."""
    region: str | None = region_code_for_number(parse(e164))
    return region


def fold(*names: str | None) -> str:
    """Names in plain small letters, joined in the order given: "Anna-Maria", "Müller" is `anna maria muller`."""
    text = unicodedata.normalize("NFKC", " ".join(name for name in names if name))
    return " ".join(anyascii(text).casefold().replace("-", " ").split())


def fold_company(name: str | None) -> str:
    """A company's name folded, without punctuation and legal form: "ACME Robotics GmbH" is `acme robotics`."""
    words = re.sub(r"[^a-z0-9]+", " ", fold(name)).strip()
    return " ".join(_LEGAL_FORM.sub(" ", words).split()) or words
