"""Take pictures of every page of the built documentation, to look at: what a reader sees.

`python doc/screenshots.py doc/_build/html pictures` needs `pip install playwright` and Chromium on
the path. It writes `pictures/WIDTH-SCHEME/PAGE.png`, and says which pages are wider than the window
or fail to load something.
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

WIDTHS = (400, 1280, 1920)
SCHEMES = ("light", "dark")
FLAGS = ["--disable-quic", "--disable-background-networking", "--disable-component-update"]


def pages(site: Path) -> list[Path]:
    """The pages that a reader reaches, not the copies of sources and the parts of themes."""
    skipped = ("_static", "_modules", "_sources", "_downloads")
    return sorted(
        path for path in site.rglob("*.html") if path.relative_to(site).parts[0] not in skipped
    )


def look(page: Page, path: Path, picture: Path) -> list[str]:
    """Take the picture of one page; return what is wrong with it."""
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(f"not loaded: {request.url}"))
    page.goto(path.as_uri(), wait_until="load")
    page.wait_for_timeout(300)  # mathematics is set after the page has loaded
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=picture, full_page=True)
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    raw = page.evaluate("document.body.innerText.includes('\\\\(')")
    return failed + [f"{wide} px wider than the window"] * (wide > 0) + ["raw LaTeX"] * raw


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--only", default="", help="pages with this in their path")
    options = parser.parse_args()
    site = options.site.resolve()
    names = {path: path.relative_to(site).with_suffix(".png") for path in pages(site)}
    names = {path: name for path, name in names.items() if options.only in name.as_posix()}
    if not names:
        parser.error(f"{site} has no pages with {options.only!r} in their path: build it first.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=FLAGS, chromium_sandbox=False
        )
        for width in WIDTHS:
            for scheme in SCHEMES:
                context = browser.new_context(
                    viewport={"width": width, "height": 900}, color_scheme=scheme
                )
                for path, name in names.items():
                    page = context.new_page()
                    said = look(page, path, options.pictures / f"{width}-{scheme}" / name)
                    page.close()
                    for complaint in said:
                        print(f"{width} {scheme} {name.with_suffix('')}: {complaint}")
                context.close()
        browser.close()


if __name__ == "__main__":
    main()
