"""How the documentation becomes a site: make docs."""

project = "Gurukul harness"
extensions = ["myst_parser"]
exclude_patterns = ["conf.py", "schema/**"]
html_theme = "furo"
html_title = project
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
myst_heading_anchors = 4
