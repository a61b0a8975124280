"""A picture has words of its own, for those who do not see it: without them the build warns.

Those of a figure in the gallery are its titles; without a title it would get the name of its file.
Thumbnails have none, as the title of their page stands beside them.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.logging import getLogger
from sphinx_gallery.directives import imgsgnode

logger = getLogger(__name__)


def check(_app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of pictures without words, or with those of another one."""
    pictures: dict[str, str] = {}  # by their words
    for page in sorted(env.found_docs):
        doctree = env.get_doctree(page)
        for node in (found for kind in (nodes.image, imgsgnode) for found in doctree.findall(kind)):
            picture, words = node["uri"].rpartition("/")[2], node.get("alt", "")
            if picture.endswith("_thumb.png"):
                continue
            if not words or words.replace(" ", "_") in picture:
                message = "%s has no words: give its figure a title, or the image an :alt:"
                logger.warning(message, picture, location=node)
            elif pictures.setdefault(words, picture) != picture:
                logger.warning("%s has the words of %s", picture, pictures[words], location=node)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("env-check-consistency", check)
    return {"parallel_read_safe": True}
