"""Settings come from the environment, and a wrong one is named at the start."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from marshmallow import fields, validate

from shared.settings import Settings, SettingsError, variable

GOOD = {
    "CRM_DATABASE_URL": "postgresql://sales:hush@127.0.0.1/sales",
    "CRM_BUS": "postgres",
    "CRM_BUS_DATABASE_URL": "postgresql://bus:hush@127.0.0.1/bus",
    "CRM_SECRET": "sixteen letters!",
}


def _wrong(environ: dict[str, str], cls: type[Settings] = Settings) -> str:
    with pytest.raises(SettingsError) as caught:
        cls.from_env("sales", environ)
    return str(caught.value)


def test_good_settings_are_typed() -> None:
    settings = Settings.from_env("sales", GOOD | {"CRM_PORT": "8102", "CRM_JWKS_FILE": "/run/jwks.json"})
    assert settings.service == "sales"
    assert settings.port == 8102
    assert settings.jwks_file == Path("/run/jwks.json")
    assert (settings.host, settings.web_workers, settings.otlp_endpoint) == ("127.0.0.1", 1, None)


def test_every_wrong_variable_is_named_in_one_message() -> None:
    said = _wrong(
        {
            "CRM_BUS": "postgres",
            "CRM_PORT": "http",
            "CRM_HEALTH_PORT": "70000",
            "CRM_SECRET": "short",
            "CRM_LOG_LEVEL": "loud",
            "CRM_ENVIRONMENT": "staging",
        }
    )
    assert said.splitlines()[0] == "Wrong settings for sales:"
    assert [line.split(":")[0].strip() for line in said.splitlines()[1:]] == [
        "CRM_BUS_DATABASE_URL",
        "CRM_DATABASE_URL",
        "CRM_ENVIRONMENT",
        "CRM_HEALTH_PORT",
        "CRM_LOG_LEVEL",
        "CRM_PORT",
        "CRM_SECRET",
    ]


def test_the_message_says_what_each_variable_is_for() -> None:
    assert "CRM_PORT: Not a valid integer. (Port of the HTTP API)" in _wrong(GOOD | {"CRM_PORT": "x"})


@pytest.mark.parametrize(
    ("bus", "needed"), [("postgres", "CRM_BUS_DATABASE_URL"), ("kafka", "CRM_KAFKA_BOOTSTRAP")]
)
def test_a_bus_needs_its_address(bus: str, needed: str) -> None:
    environ = {name: value for name, value in GOOD.items() if name != "CRM_BUS_DATABASE_URL"}
    assert f"{needed}: Missing, and CRM_BUS needs it." in _wrong(environ | {"CRM_BUS": bus})


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a secret of a file\n")
    environ = {name: value for name, value in GOOD.items() if name != "CRM_SECRET"}
    settings = Settings.from_env("sales", environ | {"CRM_SECRET_FILE": str(tmp_path / "secret")})
    assert settings.secret == "a secret of a file"


def test_what_is_wrong_with_a_file_is_said_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "short").write_text("short")
    environ = {
        "CRM_BUS": "kafka",
        "CRM_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "CRM_DATABASE_URL_FILE": str(tmp_path / "missing"),
        "CRM_KAFKA_PASSWORD_FILE": str(tmp_path / "empty"),
        "CRM_SECRET_FILE": str(tmp_path / "short"),
    }
    said = _wrong(environ)
    assert "CRM_DATABASE_URL: CRM_DATABASE_URL_FILE cannot be read: " in said
    assert f"CRM_KAFKA_PASSWORD: CRM_KAFKA_PASSWORD_FILE is empty: {tmp_path / 'empty'}" in said
    assert "CRM_SECRET: Shorter than minimum length 16." in said


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a secret of a file")
    said = _wrong(GOOD | {"CRM_SECRET_FILE": str(tmp_path / "secret")})
    assert "CRM_SECRET: Given twice: here and by CRM_SECRET_FILE." in said


def test_only_secrets_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("8102")
    assert Settings.from_env("sales", GOOD | {"CRM_PORT_FILE": str(tmp_path / "port")}).port == 8000


def test_a_login_to_kafka_needs_a_name_and_a_password() -> None:
    said = _wrong(GOOD | {"CRM_KAFKA_SECURITY": "SASL_SSL"})
    for name in ("CRM_KAFKA_USERNAME", "CRM_KAFKA_PASSWORD"):
        assert f"{name}: Missing, and CRM_KAFKA_SECURITY needs it." in said
    assert "CRM_KAFKA_SECURITY: Must be one of" in _wrong(GOOD | {"CRM_KAFKA_SECURITY": "SASL_PLAINTEXT"})


def test_identitys_address_is_the_issuer_unless_another_is_named() -> None:
    environ = GOOD | {"CRM_IDENTITY_URL": "http://identity:8000"}
    assert Settings.from_env("sales", environ).issuer_url == "http://identity:8000"
    public = environ | {"CRM_ISSUER": "https://crm.example/api/identity"}
    assert Settings.from_env("sales", public).issuer_url == "https://crm.example/api/identity"


def test_an_unknown_bus_is_refused_by_name() -> None:
    assert "CRM_BUS: Must be one of: postgres, kafka." in _wrong(GOOD | {"CRM_BUS": "rabbit"})


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Settings.from_env("sales", GOOD | {"CRM_OTLP_ENDPOINT": ""}).otlp_endpoint is None
    assert "CRM_SECRET: Missing." in _wrong(GOOD | {"CRM_SECRET": ""})


def test_variables_of_others_are_no_concern() -> None:
    assert Settings.from_env("sales", GOOD | {"CRM_PGDATA": "/x", "HOME": "/root"}).bus == "postgres"


def test_printed_settings_keep_their_secrets() -> None:
    shown = repr(Settings.from_env("sales", GOOD))
    assert "hush" not in shown
    assert "sixteen letters!" not in shown
    assert "service='sales'" in shown


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings.from_env("sales", GOOD).port = 1  # type: ignore[misc]


@dataclass(frozen=True)
class _SalesSettings(Settings):
    discount_limit: Decimal = variable(
        fields.Decimal(validate=validate.Range(0, 1)), "Largest discount without approval"
    )


def test_a_service_adds_settings_of_its_own() -> None:
    settings = _SalesSettings.from_env("sales", GOOD | {"CRM_DISCOUNT_LIMIT": "0.15"})
    assert settings.discount_limit == Decimal("0.15")
    said = _wrong(GOOD | {"CRM_DISCOUNT_LIMIT": "1.5", "CRM_PORT": "x"}, _SalesSettings)
    assert "CRM_DISCOUNT_LIMIT: Must be" in said
    assert "CRM_PORT: Not a valid integer." in said
