"""Draw the floors of the package from the contract in pyproject.toml that the imports must keep."""

import ast
import tomllib
from html import escape
from pathlib import Path
from textwrap import wrap

ROOT = Path(__file__).parents[1]
WIDTH, PAD, LINE, TITLE = 900, 10, 15, 17  # pixels


def floors() -> list[list[str]]:
    """Rooms of each floor, from the top: the layers that import-linter is given."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (c for c in project["tool"]["importlinter"]["contracts"] if c["type"] == "layers")
    return [layer.split(" | ") for layer in contract["layers"]]


def purpose(room: str) -> str:
    """First sentence of the docstring of a module or package of skfact."""
    path = ROOT / "skfact" / room
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    text = text.replace("`", "")
    return " ".join(text.split("\n\n")[0].split()).split(". ")[0].rstrip(".")


def draw() -> str:
    """The drawing as SVG: a row of boxes for each floor; imports go down."""
    boxes, y = [], PAD
    for rooms in floors():
        width = (WIDTH - PAD * (len(rooms) + 1)) / len(rooms)
        texts = [wrap(purpose(room), int((width - 2 * PAD) / 6.4)) for room in rooms]
        height = TITLE + LINE * max(map(len, texts)) + PAD
        for number, (room, lines) in enumerate(zip(rooms, texts)):
            x = PAD + number * (width + PAD)
            boxes.append(
                f'<rect x="{x:.0f}" y="{y}" width="{width:.0f}" height="{height}" rx="4" '
                f'fill="{"#f4f6fa" if room.startswith("_") else "#dbe7f6"}" stroke="#5b7aa5"/>'
                f'<text x="{x + PAD:.0f}" y="{y + TITLE}" font-weight="bold">{room}</text>'
            )
            boxes += [
                f'<text x="{x + PAD:.0f}" y="{y + TITLE + LINE * (i + 1)}">{escape(line)}</text>'
                for i, line in enumerate(lines)
            ]
        y += height + PAD
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        + "".join(boxes)
        + "</svg>\n"
    )
