"""Which access tokens count, and how long the issuer's keys are trusted."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from shared.testing.tokens import ISSUER, jwks_file, mint, signing_key
from shared.web.problems import Unauthorized
from shared.web.tokens import KeySet, KeysUnavailable, TokenVerifier, file_keys, url_keys

AUDIENCES = frozenset(("notes", "crm"))


@pytest.fixture
def verifier(tmp_path: Path) -> TokenVerifier:
    return TokenVerifier(KeySet(file_keys(jwks_file(tmp_path))), ISSUER, AUDIENCES)


def test_a_good_token_says_who_asks(verifier: TokenVerifier) -> None:
    subject, account, contact = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    staff = verifier.verify(mint(subject, {"note.read": "team"}, epoch=4, mfa_at=17))
    portal = verifier.verify(
        mint(subject, kind="portal", account_id=str(account), contact_id=str(contact), sight="account")
    )
    machine = verifier.verify(mint("erp", {"note.read": "all"}, kind="machine", client_id="erp"))

    assert (staff.user_id, staff.kind, staff.epoch, staff.mfa_at) == (subject, "staff", 4, 17)
    assert (staff.reach("note.read"), staff.reach("note.edit")) == ("team", None)
    assert (portal.account_id, portal.contact_id, portal.sight) == (account, contact, "account")
    assert (machine.user_id, machine.actor, staff.actor) == (None, "client:erp", f"user:{subject}")


def test_an_administrator_may_everything(verifier: TokenVerifier) -> None:
    principal = verifier.verify(mint(permissions={"*": "all"}))
    assert (principal.reach("note.read"), principal.may("anything.at_all")) == ("all", True)


def from_now(claims: dict[str, Any]) -> dict[str, Any]:
    """`claims` with each span of time as the instant that far from now: collecting tests takes a while."""
    now = int(time.time())
    return {
        name: now + int(value.total_seconds()) if isinstance(value, timedelta) else value
        for name, value in claims.items()
    }


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "http://evil.test"},
        {"aud": ["erp"]},
        {"aud": "sales"},
        {"aud": None},
        {"exp": timedelta(seconds=-61)},
        {"exp": None},
        {"nbf": timedelta(seconds=120)},
        {"nbf": None},
        {"iat": timedelta(seconds=120)},
        {"iat": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"sub": None},
        {"sub": "not-a-uuid"},
        {"kind": "robot"},
        {"kind": "portal"},
        {"perms": None},
        {"perms": {"note.read": "everywhere"}},
        {"perms": {"*": "own"}},
        {"perms": ["note.read"]},
        {"perms": {"note.read": ["all"]}},
        {"client_id": None},
        {"epoch": "x"},
        {"roles": ["clerk"]},
        {"roles": {"clerk": "1"}},
        {"roles": {"clerk": True}},
        {"sid": "not-a-uuid"},
        {"sid": 5},
    ],
)
def test_a_token_with_wrong_claims_is_refused(verifier: TokenVerifier, claims: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized):
        verifier.verify(mint(**from_now(claims)))


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": timedelta(seconds=-30)},
        {"nbf": timedelta(seconds=30)},
        {"iat": timedelta(seconds=30)},
        {"aud": "notes"},
    ],
)
def test_clocks_may_differ_by_a_minute(verifier: TokenVerifier, claims: dict[str, Any]) -> None:
    assert verifier.verify(mint(**from_now(claims))).kind == "staff"


def test_only_the_pinned_algorithm_and_type_count(verifier: TokenVerifier) -> None:
    key = signing_key()
    claims = jwt.decode(mint(), key).claims
    secret = OctKey.import_key(orjson.dumps(key.as_dict(private=False)))
    rsa = RSAKey.generate_key(2048, private=True)
    head = {"kid": key.kid, "typ": "at+jwt"}
    forged = [
        mint(header={"typ": "JWT"}),
        mint(header={"typ": None}),
        mint(header={"kid": "unknown"}),
        mint(key=ECKey.generate_key("P-256", private=True), header={"kid": key.kid}),
        jwt.encode(head | {"alg": "HS256"}, claims, secret, algorithms=["HS256"], default_type=None),
        jwt.encode(head | {"alg": "RS256"}, claims, rsa, algorithms=["RS256"], default_type=None),
        "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.",
        mint()[:-4] + "AAAA",
        mint().replace(".", ".A", 1),
        "",
        "a.b",
        "a.b.c",
        "....",
        "x" * 9000,
        "W10.e30.AAAA",
    ]
    for token in forged:
        with pytest.raises(Unauthorized):
            verifier.verify(token)


def test_a_key_that_the_token_brings_along_is_ignored(verifier: TokenVerifier) -> None:
    own = ECKey.generate_key("P-256", private=True)
    own.ensure_kid()
    brought = {"jwk": own.as_dict(private=False), "jku": "http://evil.test/jwks.json"}
    with pytest.raises(Unauthorized, match="unknown key"):
        verifier.verify(mint(key=own, header=brought))


def test_a_known_token_still_expires_and_falls_with_its_key(tmp_path: Path) -> None:
    moments = {"wall": time.time(), "steady": 0.0}
    path = jwks_file(tmp_path)
    keys = KeySet(file_keys(path), lambda: moments["steady"])
    verifier = TokenVerifier(keys, ISSUER, AUDIENCES, lambda: moments["wall"])
    token = mint()
    first = verifier.verify(token)
    assert verifier.verify(token) is first

    moments["wall"] += 661
    with pytest.raises(Unauthorized, match="expired"):
        verifier.verify(token)
    moments["wall"] -= 661
    assert verifier.verify(token) is first
    path.write_bytes(b'{"keys": []}')
    moments["steady"] += 300
    with pytest.raises(Unauthorized, match="unknown key"):
        verifier.verify(token)


class Issuer:
    """Publishes keys, counts how often it is asked, and can be away."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_away = False
        self.keys: list[dict[str, Any]] = [dict(signing_key().as_dict(private=False))]

    def read(self) -> bytes:
        self.asked += 1
        if self.is_away:
            raise KeysUnavailable("away")
        return orjson.dumps({"keys": self.keys})


def test_an_unknown_key_is_asked_for_at_most_once_a_minute() -> None:
    now = [0.0]
    issuer = Issuer()
    keys = KeySet(issuer.read, lambda: now[0])
    for second in range(60):
        now[0] = float(second)
        assert keys.find("unknown") is None
    assert issuer.asked == 1

    newcomer = ECKey.generate_key("P-256")
    newcomer.ensure_kid()
    issuer.keys.append(dict(newcomer.as_dict(private=False)))
    now[0] = 60.0
    assert keys.find(str(newcomer.kid)) is not None
    assert issuer.asked == 2


def test_known_keys_outlive_an_issuer_that_is_away_by_a_day() -> None:
    now = [0.0]
    issuer = Issuer()
    keys = KeySet(issuer.read, lambda: now[0])
    kid = str(signing_key().kid)
    assert keys.find(kid) is not None

    issuer.is_away = True
    now[0] = 24 * 3600.0
    assert keys.find(kid) is not None
    now[0] += 1
    assert keys.find(kid) is None
    issuer.is_away = False
    now[0] += 60
    assert keys.find(kid) is not None


@pytest.mark.parametrize(
    "document", [b"", b"[]", b'{"keys": [{"kty": "EC", "crv": "P-256", "kid": "x"}]}', b'{"keys": 1}']
)
def test_a_broken_key_document_leaves_the_known_keys(document: bytes) -> None:
    now = [0.0]
    answers = [orjson.dumps({"keys": [signing_key().as_dict(private=False)]}), document]
    keys = KeySet(lambda: answers[min(1, int(now[0]))], lambda: now[0])
    kid = str(signing_key().kid)
    assert keys.find(kid) is not None
    now[0] = 400.0
    assert keys.find(kid) is not None


@pytest.fixture
def published() -> Iterator[tuple[str, dict[str, tuple[int, bytes]]]]:
    """A web server, and what it answers by path."""
    answers: dict[str, tuple[int, bytes]] = {}

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[self.path]
            self.send_response(status)
            self.send_header("Location", "/keys")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_keys_come_from_their_own_address_without_detours(
    published: tuple[str, dict[str, tuple[int, bytes]]],
) -> None:
    address, answers = published
    answers["/keys"] = (200, b'{"keys": []}')
    answers["/broken"] = (500, b"")
    answers["/moved"] = (302, b"")

    assert url_keys(f"{address}/keys")() == b'{"keys": []}'
    for path in ("/broken", "/moved"):
        with pytest.raises(KeysUnavailable):
            url_keys(f"{address}{path}")()
    with pytest.raises(KeysUnavailable):
        url_keys("http://127.0.0.1:1/keys")()


def test_keys_for_encryption_or_other_curves_are_left_out() -> None:
    other = ECKey.generate_key("P-384")
    other.ensure_kid()
    encrypting = dict(signing_key().as_dict(private=False)) | {"use": "enc"}
    document = orjson.dumps({"keys": [other.as_dict(private=False), encrypting]})
    keys = KeySet(lambda: document)
    assert keys.find(str(other.kid)) is None
    assert keys.find(str(signing_key().kid)) is None
