from pathlib import Path

import pytest

from jaximpute import OutputError
from jaximpute.data.folders import replacing


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "place" / "model"
    folder.mkdir(parents=True)
    (folder / "what.txt").write_text("old")
    return folder


def write(folder):
    folder.mkdir()
    (folder / "what.txt").write_text("new")


def replace(target):
    with replacing(target) as folder:
        write(folder)


def held(target):
    """What the folder holds; nothing else may lie beside it."""
    assert [folder.name for folder in target.parent.iterdir()] == [target.name]
    return (target / "what.txt").read_text()


@pytest.mark.fast
def test_the_new_folder_takes_the_place_of_the_old(target):
    with replacing(target) as folder:
        write(folder)
        assert (target / "what.txt").read_text() == "old"
    assert held(target) == "new"


@pytest.mark.fast
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_the_old_folder_stays_where_writing_fails(target, error):
    def write_and_fail():
        with replacing(target) as folder:
            write(folder)
            raise error

    expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_and_fail()
    assert held(target) == "old"


@pytest.mark.fast
def test_the_old_folder_is_put_back_where_the_exchange_fails(target, monkeypatch):
    rename = Path.rename

    def fails_once(self, to):
        if self.name.endswith(".part"):
            raise OSError(5, "Input/output error")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", fails_once)
    with pytest.raises(OutputError, match="Input/output error; what was there before is untouched"):
        replace(target)
    assert held(target) == "old"
