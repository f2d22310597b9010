"""For mkdocs: the two marks of reStructuredText that our numpydoc docstrings use, as Markdown."""

import re

import griffe


class Markdown(griffe.Extension):
    """A colon before a block is one colon, and a reference is an item of a list."""

    def on_instance(self, *, obj: griffe.Object, **_: object) -> None:
        """Rewrite the docstring of each object as it is read."""
        if obj.docstring:
            text = re.sub(r"::$", ":", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"^( *)\.\. \[(\d+)\] ", r"\1\2. ", text, flags=re.MULTILINE)
