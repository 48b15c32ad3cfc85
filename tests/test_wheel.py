"""The package as it is installed: everything it reads at run time is in the wheel."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"
SOURCES = ("pyproject.toml", "README.md", "LICENSE")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder with the files of a wheel, as pip would leave them."""
    folder = tmp_path_factory.mktemp("wheel")
    # a copy: building leaves files beside the sources
    for name in SOURCES:
        shutil.copy(ROOT / name, folder)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", folder / "src", ignore=ignored)
    subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=folder, check=True, capture_output=True
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed, *words, cwd):
    """Run Python outside the checkout, with the wheel's files before all others."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def command(installed, *words, cwd):
    return run(installed, "-m", "zoopraxis", *words, cwd=cwd)


def test_the_wheel_has_every_file_of_the_package(installed):
    there, expected = (
        {
            path.relative_to(root).as_posix()
            for path in (root / "zoopraxis").rglob("*")
            if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.parts
        }
        for root in (installed, ROOT / "src")
    )
    assert expected - there == set()
    assert {"zoopraxis/py.typed", "zoopraxis/models/sizes.csv"} <= there
    assert {Path(name).parts[0] for name in there} == {"zoopraxis"}


def test_nothing_but_the_package_is_installed(installed):
    assert sorted(p.name for p in installed.iterdir() if p.suffix != ".dist-info") == ["zoopraxis"]
    (entry,) = installed.glob("*.dist-info/entry_points.txt")
    assert "zoopraxis = zoopraxis.cli:main" in entry.read_text()


def test_it_finds_its_files_by_itself(installed, tmp_path):
    code = """
import zoopraxis
from zoopraxis.data.labels import label_names
from zoopraxis.models import list_models, model_size
from zoopraxis.training.recipe import SHIPPED, read_recipe

print(zoopraxis.__file__)
print(read_recipe("tsm").model.name, len(label_names("kinetics400")))
assert all(model_size(name) for name in list_models())
assert all(read_recipe(file.stem) for file in SHIPPED.glob("*.toml"))
"""
    done = run(installed, "-c", code, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    file, facts = done.stdout.splitlines()
    assert Path(file) == installed / "zoopraxis" / "__init__.py"
    assert facts == "tsm_r50_8 400"


def test_its_commands_run_anywhere(installed, tmp_path):
    models = command(installed, "models", cwd=tmp_path)
    assert models.returncode == 0, models.stderr
    assert "tsm_r50_8" in models.stdout

    info = command(installed, "info", "tsm_r50_8", cwd=tmp_path)
    assert info.returncode == 0, info.stderr
    assert "tsm_r50_8" in info.stdout

    needs_data = command(installed, "train", "tsm", cwd=tmp_path)
    assert needs_data.returncode == 1
    error, hint = needs_data.stderr.splitlines()[-2:]
    assert error == "error: there are no videos: data.train = 'videos' does not exist"
    assert "--data FOLDER" in hint
    assert not list(tmp_path.iterdir())
