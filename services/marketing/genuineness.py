"""Is there a person behind a lead? Points by signal, each with what was seen; nothing here asks a network.

The sum is clamped to 0..100: below 40 genuine, from 80 fake, suspect between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.marketing.addresses import (
    DISPOSABLE_DOMAINS,
    FREE_MAIL_DOMAINS,
    ROLE_MAILBOXES,
    domain_in,
    email_key,
    fold,
    phone_e164,
    phone_region,
)

__all__ = ["POINTS", "VERDICTS", "Evidence", "Finding", "Signal", "examine", "is_random_name", "verdict_of"]

VERDICTS = ("genuine", "suspect", "fake")

POINTS = {
    "honeypot": 100,
    "crawler": 60,
    "disposable_domain": 60,
    "email_syntax": 40,
    "no_address": 40,
    "markup_in_name": 40,
    "too_fast": 40,
    "ip_velocity": 40,
    "phone_invalid": 25,
    "random_name": 20,
    "role_mailbox": 10,
    "phone_country": 5,
    "free_mailbox": 5,
}
"""What each signal weighs."""

SUSPECT_FROM = 40
FAKE_FROM = 80
MIN_FILL_SECONDS = 2.0
MAX_SUBMISSIONS = 5

_CRAWLER = re.compile(
    r"bot\b|bot/|crawl|spider|scrapy|curl/|wget/|python-|go-http-client|java/|headless|phantomjs|httpclient",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"<[a-z!/]|https?://|www\.|\[url", re.IGNORECASE)
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{6}")
_REPEATED = re.compile(r"(.)\1{3}")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_RUNS = frozenset(
    line[start : start + 4] for row in _ROWS for line in (row, row[::-1]) for start in range(len(line) - 3)
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a lead and of how it came in. `is_form`: somebody or something filled a form.

    `recent_submissions`: how many came from the same address in the last 10 minutes, this one included;
    `fill_seconds`: from loading the form to sending it, None when unknown.
    """

    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None
    phone: str | None = None
    country: str | None = None
    company: str | None = None
    user_agent: str | None = None
    honeypot_filled: bool = False
    is_form: bool = False
    fill_seconds: float | None = None
    min_fill_seconds: float = MIN_FILL_SECONDS
    recent_submissions: int = 0


@dataclass(frozen=True, slots=True)
class Signal:
    """One reason. `seen` is the value that gave it, personal data among it."""

    code: str
    points: int
    detail: str
    seen: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict with its reasons. `unchecked` names the checks that could not be made."""

    value: str
    points: int
    reasons: tuple[Signal, ...]
    unchecked: tuple[str, ...]


def examine(evidence: Evidence) -> Finding:
    """Weigh the evidence."""
    reasons = tuple(
        Signal(code, POINTS[code], detail, seen)
        for code, detail, seen in (*_of_sending(evidence), *_of_address(evidence), *_of_names(evidence))
    )
    points = min(100, max(0, sum(reason.points for reason in reasons)))
    return Finding(verdict_of(points), points, reasons, tuple(_unchecked(evidence)))


def verdict_of(points: int) -> str:
    """The verdict for a sum of points."""
    if points >= FAKE_FROM:
        return "fake"
    return "suspect" if points >= SUSPECT_FROM else "genuine"


def is_random_name(name: str | None) -> bool:
    """Whether a name looks typed at random: at least 5 letters with 6 consonants in a row (y is a vowel), 4 equal
    letters, or 4 neighbours of a keyboard row in either direction."""
    letters = re.sub(r"[^a-z]", "", fold(name))
    if len(letters) < 5:
        return False
    if _CONSONANTS.search(letters) or _REPEATED.search(letters):
        return True
    return any(letters[start : start + 4] in _RUNS for start in range(len(letters) - 3))


Reason = tuple[str, str, str | None]


def _of_sending(e: Evidence) -> Iterator[Reason]:
    if e.honeypot_filled:
        yield "honeypot", "A field that people do not see was filled in.", None
    if e.user_agent and _CRAWLER.search(e.user_agent):
        yield "crawler", "It was sent by a program.", e.user_agent
    if e.fill_seconds is not None and e.fill_seconds < e.min_fill_seconds:
        yield "too_fast", "The form was sent faster than people type.", f"{e.fill_seconds:.1f} s"
    if e.recent_submissions > MAX_SUBMISSIONS:
        yield "ip_velocity", "One address sent many forms within 10 minutes.", str(e.recent_submissions)


def _of_address(e: Evidence) -> Iterator[Reason]:
    if not e.email and not e.phone:
        yield "no_address", "There is neither an e-mail address nor a telephone number.", None
    if e.email:
        yield from _of_email(e.email, e.company)
    if e.phone:
        number = phone_e164(e.phone, e.country)
        if number is None:
            yield "phone_invalid", "The telephone number does not exist.", e.phone
        elif e.country and phone_region(number) != e.country:
            yield "phone_country", f"The telephone number is not one of {e.country}.", phone_region(number)


def _of_email(email: str, company: str | None) -> Iterator[Reason]:
    key = email_key(email)
    if key is None:
        yield "email_syntax", "The e-mail address cannot exist.", email
        return
    mailbox, _, domain = key.rpartition("@")
    if domain_in(domain, DISPOSABLE_DOMAINS):
        yield "disposable_domain", "The mailbox is of the kind that is thrown away.", domain
    elif company and domain_in(domain, FREE_MAIL_DOMAINS):
        yield "free_mailbox", "A company is named, but the mailbox is a free one.", domain
    if mailbox in ROLE_MAILBOXES:
        yield "role_mailbox", "The mailbox belongs to a function, not to a person.", mailbox


def _of_names(e: Evidence) -> Iterator[Reason]:
    names = [name for name in (e.given_name, e.family_name) if name]
    marked = next((name for name in names if _MARKUP.search(name)), None)
    if marked is not None:
        yield "markup_in_name", "A name holds an address of the web or markup.", marked
    random = next((name for name in names if is_random_name(name)), None)
    if random is not None:
        yield "random_name", "A name looks typed at random.", random


def _unchecked(e: Evidence) -> Iterator[str]:
    if e.email:
        yield "mail_domain"
    if e.is_form and e.fill_seconds is None:
        yield "fill_time"
