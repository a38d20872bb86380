"""The panels of the plugin: a folder each, `model.py` without Qt beside `widget.py`."""
