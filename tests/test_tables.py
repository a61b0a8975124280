"""Tables of reports."""

from skfact._tables import html_table


def test_texts_are_escaped():
    table = html_table("a < b", ["name", "p & q"], [["<b>", "1"], ["", "2"]])
    assert table == (
        "<table><caption>a &lt; b</caption><thead><tr><th>name</th><th>p &amp; q</th></tr></thead>"
        "<tbody><tr><td>&lt;b&gt;</td><td>1</td></tr><tr><td></td><td>2</td></tr></tbody></table>"
    )
