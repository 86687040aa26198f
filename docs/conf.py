"""The documentation site: Sphinx reads the Markdown of this folder. `scripts/docs` builds it; warnings are errors."""

import re
from pathlib import Path

project = "subpixel"
author = "the authors of subpixel"
copyright = "the authors of subpixel, Apache-2.0"

extensions = ["myst_parser"]
nitpicky = True
smartquotes = False

# Headings get the anchors that GitHub gives them, so links work in both places.
myst_heading_anchors = 4

html_theme = "furo"
html_title = "subpixel"
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
EXTRA = Path(__file__).with_name("_extra")  # where scripts/docs puts the study's page
PAGE = "report.html"
html_extra_path = [str(EXTRA)] if EXTRA.exists() else []
html_theme_options = {"navigation_with_keys": True}


def link_the_page(app, name, source):
    """Links to the section on how to get the study's page lead to the page itself where it is part of the site."""
    if (EXTRA / PAGE).exists():
        link = rf'<a href="{"../" * name.count("/")}{PAGE}">\1</a>'
        source[0] = re.sub(r"\[([^\]]+)\]\((?:\.\./)*site\.md#the-page\)", link, source[0])


def setup(app):
    """Called by Sphinx."""
    app.connect("source-read", link_the_page)
