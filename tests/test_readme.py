"""The Python blocks of the README, run one after the other as a reader would."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_readme_blocks(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = README.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    names: dict = {}
    printed = []
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)
        printed.append(capsys.readouterr().out.split("\n"))

    sizes, difference = printed[0][:2]
    assert sizes == "8 4096 65536"
    assert float(difference) < 1e-11  # the products are of the order of 100
    score, nnz, error = map(float, printed[1][0].split())
    assert score > 0.8
    assert nnz < 32 * 64
    assert 0 < error < 1
    assert names["search"].best_params_ == eval(printed[2][0])
    assert float(printed[2][1]) > 0.8
    assert not list(tmp_path.iterdir())
