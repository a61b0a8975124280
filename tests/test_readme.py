"""The README's Python blocks print what it says, one after the other as a reader runs them."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")


def test_readme_blocks(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    found, said = [], []
    for code, shown in BLOCK.findall(README.read_text(encoding="utf-8")):
        exec(compile(code, str(README), "exec"), names)
        printed = capsys.readouterr().out
        assert NUMBER.sub("#", printed) == NUMBER.sub("#", shown)
        found.append([float(number) for number in NUMBER.findall(printed)])
        said.append([float(number) for number in NUMBER.findall(shown)])

    dft, speed, groups, networks = found
    assert dft == said[0]
    assert speed[0] > 2  # on a busy machine; the README shows a quiet one
    assert groups == said[2]
    (scaled, same), (weights, paths) = networks[:2], networks[2:]
    assert same == 0 < paths  # however the training of other versions ends
    assert scaled > weights
    assert not list(tmp_path.iterdir())
