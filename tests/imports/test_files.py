"""What an import says of files that it cannot use, before it changes anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from deploy.local.import_data import MAPPINGS, Import, read_files
from deploy.local.problems import LocalProblem
from deploy.local.suite import LocalSuite

MAPPING = yaml.safe_load((MAPPINGS / "crm-sales-opportunities.yaml").read_text())
FILES = {
    "sales_teams.csv": "sales_agent,manager,regional_office\nAnna,Moses,East\n",
    "products.csv": "product,series,sales_price\nGTX Pro,GTX,4821\n",
    "accounts.csv": "account,sector,revenue,employees,office_location,subsidiary_of\nAcme,retail,1.1,5,Kenya,\n",
    "sales_pipeline.csv": (
        "opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value\n"
        "1A,Anna,GTX Pro,Acme,Won,3/1/2017,5/1/2017,1054\n"
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_all_files_of_the_mapping_are_read(folder: Path) -> None:
    rows = read_files(folder, MAPPING)
    assert {name: len(found) for name, found in rows.items()} == dict.fromkeys(FILES, 1)
    assert rows["sales_teams.csv"] == [{"sales_agent": "Anna", "manager": "Moses", "regional_office": "East"}]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("accounts.csv", None, "accounts.csv cannot be read: No such file or directory."),
        (
            "products.csv",
            b"",
            "products.csv has no column product, sales_price, series; its columns are: none.",
        ),
        (
            "sales_teams.csv",
            b"sales_agent,boss\nAnna,Moses\n",
            "sales_teams.csv has no column manager, regional_office; its columns are: sales_agent, boss.",
        ),
        (
            "products.csv",
            b"product,series,sales_price\n\xff,a,1\n",
            "products.csv cannot be read: it is not UTF-8",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    folder: Path, name: str, content: bytes | None, sentence: str
) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(LocalProblem, match=re.escape(sentence)):
        read_files(folder, MAPPING)


def test_nothing_is_asked_of_the_suite_when_a_file_is_missing(folder: Path, tmp_path: Path) -> None:
    (folder / "sales_pipeline.csv").unlink()
    home = tmp_path / "home"  # nothing runs there: a request would be another problem than the missing file
    with pytest.raises(LocalProblem, match=r"sales_pipeline\.csv"):
        Import(LocalSuite(home), folder, MAPPING).run()
    assert not home.exists()
