"""zoopraxis data doctor: folders, lists and indices; its JSON and its page."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pages import TAGS, elements
from videos import X264, write
from zoopraxis.cli.data import data
from zoopraxis.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes: a video and its copy, a re-encoded one, an empty one with a strange name."""
    for name in ("run", "jump"):
        (tmp_path / "set" / name).mkdir(parents=True)
    content = write(tmp_path / "set" / "run" / "a.mp4", options=X264).read_bytes()
    (tmp_path / "set" / "jump" / "copy.mp4").write_bytes(content)
    write(tmp_path / "set" / "run" / "again.avi", "mpeg4", options={"g": "12"})
    (tmp_path / "set" / "run" / "<b>&.mp4").write_bytes(b"")
    return tmp_path / "set"


def doctor(*words: object) -> Result:
    return CliRunner().invoke(data, ["doctor", *map(str, words), "--workers", "1"])


def test_the_page_shows_videos_and_remedies(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "out" / "found.html"
    done = doctor(folder, "--page", page, "--few", 0)
    assert done.exit_code == 1
    assert f"page {page}\n" in done.stdout
    text = page.read_text()
    titles = re.findall("<h2[^>]*>([^<]*)</h2>", text)
    # the most serious first
    expected = ["What is there", "1 cannot be read", "1 have the same content", "1 look the same"]
    assert titles == expected
    assert "keep one of each, or one group" in text
    assert "to decode an epoch" in text
    sizes = [path.stat().st_size / 1e6 for path in folder.rglob("*.*") if path.stat().st_size]
    row = f"<td>MB</td><td>{min(sizes):.3g}</td><td>{sorted(sizes)[1]:.3g}</td>"
    assert row in text.replace("\n", "")
    assert f"<td>{max(sizes):.3g}</td><td>{sum(sizes):.3g}</td>" in text
    assert text.count("<figure class=strip>") == 4  # a shown pair each
    assert len(re.findall("data:image/png;base64,", text)) == 5
    assert "&lt;b&gt;&amp;.mp4" in text
    assert "<b>&.mp4" not in text
    links = re.findall("(?:src|href)=[\"'](.{5})", text)
    assert all(link.startswith(("data:", "#")) for link in links)  # self-contained


def test_names_of_files_and_classes_are_no_html(folder: Path, tmp_path: Path) -> None:
    evil = folder / "<script>alert(1)<"
    evil.mkdir()
    content = (folder / "run" / "a.mp4").read_bytes()
    for name in ('"onerror="alert(2)" <img src=x onerror=alert(3)>.mp4', "' onload='x.mp4"):
        (evil / name).write_bytes(content)
    (evil / "<h1>torn.mp4").write_bytes(content[:99])
    page = tmp_path / "found.html"
    doctor(folder, "--page", page, "--read", "headers")
    assert elements(page.read_text()) <= TAGS
    assert "&lt;script&gt;alert(1)&lt;/&lt;h1&gt;torn.mp4" in page.read_text()


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_an_index_is_examined_again(folder: Path, tmp_path: Path, form: str) -> None:
    index = tmp_path / f"found.{form}"
    first = json.loads(doctor(folder, "--index", index, "--json", "--few", 0).stdout)
    kept = index.read_bytes()
    again = json.loads(doctor(index, "--json").stdout)
    assert index.read_bytes() == kept
    assert again["findings"] == first["findings"]
    assert again["epoch_minutes"] == first["epoch_minutes"]
    assert "--short 256 --gop 12" in again["resize"]
    with pytest.raises(DataError, match="names videos and no classes"):
        CliRunner().invoke(
            data, ["doctor", str(index), "--labels", "ucf101"], catch_exceptions=False
        )


def test_labels_are_held_to_a_list_of_classes(folder: Path, tmp_path: Path) -> None:
    names, table = tmp_path / "classes.txt", folder / "list.csv"
    names.write_text("jump\nrun\nwalk\n")
    table.write_text("jump/copy.mp4,1\nrun/again.avi,2\nrun/a.mp4,3\n")
    words = (table, "--labels", names, "--read", "headers", "--json")
    found = {one["title"]: one for one in json.loads(doctor(*words).stdout)["findings"]}
    assert found["labels that count from 1"]["status"] == "warn"
    assert found["labels unlike the classes in paths"]["videos"] == [[str(folder / "run/a.mp4")]]
