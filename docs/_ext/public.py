"""``.. public:: module ...``: every public name of some modules, so that no page can miss one."""

import inspect

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.util.nodes import nested_parse_with_titles

import liftless


class Public(Directive):
    """Entries of the names in its body, in that order, then of what else the modules have."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self):
        """Write a directive of autodoc for each name."""
        known = [name for home in self.arguments[0].split() for name in liftless._HOMES[home]]
        first = " ".join(self.content).split()
        strangers = set(first) - set(known)
        if strangers:
            raise self.error(f"not of these modules: {sorted(strangers)}")
        lines = [".. currentmodule:: liftless", ""]
        for name in dict.fromkeys([*first, *known]):
            lines += [f".. {_kind(getattr(liftless, name))}:: {name}", ""]
        part = self.state.document.current_source or ""
        holder = nodes.Element()
        nested_parse_with_titles(self.state, StringList(lines, part), holder)
        return holder.children


def _kind(value):
    if inspect.isclass(value):
        return "autoclass"
    return "autofunction" if callable(value) else "autodata"


def setup(app):
    """Add the directive."""
    app.add_directive("public", Public)
    return {"parallel_read_safe": True}
