"""The documentation site: Sphinx reads the Markdown of this folder. `scripts/docs` builds it; warnings are errors."""

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
html_extra_path = ["_extra"]  # the study's page: made by scripts/docs
html_theme_options = {"navigation_with_keys": True}
