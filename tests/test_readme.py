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
    # the table that the text shows, up to what an image or two account for
    shown = re.search(r"^```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1].splitlines()
    assert len(shown) == 3
    for line, expected in zip(printed[1], shown):
        assert line[:28] == expected[:28]
        assert abs(float(line[28:]) - float(expected[28:])) < 0.01
    factors, as_few, all_of_them = (float(line[28:]) for line in printed[1][:3])
    assert factors > all_of_them - 0.01 and factors > as_few + 0.02
    best, nnz = printed[2][0].rsplit(maxsplit=1)
    assert names["search"].best_params_ == eval(best)
    assert int(nnz) < 32 * 64  # no dense matrix
    assert float(printed[2][1]) > 0.9
    assert not list(tmp_path.iterdir())
