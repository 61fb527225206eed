"""Drawings as SVG text for one page: no declarations, no addresses, names unique to the drawing."""

import io
import re

from matplotlib import rc_context
from matplotlib.figure import Figure as Drawing

_ID = re.compile(r'\bid="([^"]+)"')
_REFERENCE = re.compile(r'(?<=href="#)([^"]+)(?=")|(?<=url\(#)([^)]+)(?=\))')
_USELESS = (
    re.compile(r"<metadata>.*?</metadata>", re.DOTALL),
    re.compile(r"<!--.*?-->", re.DOTALL),
    # It would hold for the whole page; the page's own style says the same.
    re.compile(r"<style.*?</style>", re.DOTALL),
    # In HTML the parser knows both name spaces by itself.
    re.compile(r'\sxmlns(:\w+)?="[^"]*"'),
)
#: The size in points; the page scales the drawing by its view box.
_SIZE = re.compile(r'(<svg[^>]*?)\s(?:width|height)="[\d.]+pt"')


def inline_svg(drawing: Drawing, prefix: str) -> str:
    """Return a drawing as an ``svg`` element for HTML.

    Parameters
    ----------
    drawing : matplotlib.figure.Figure
    prefix : str
        Unique in the page; every name in the drawing starts with it.
    """
    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": "liftless"}):
        drawing.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for useless in _USELESS:
        text = useless.sub("", text)
    used = {a or b for a, b in _REFERENCE.findall(text)}
    # Names that nothing refers to are noise, and would clash.
    text = _ID.sub(lambda m: f'id="{prefix}-{m[1]}"' if m[1] in used else "", text)
    text = _REFERENCE.sub(lambda m: f"{prefix}-{m[0]}", text)
    for _ in range(2):
        text = _SIZE.sub(r"\1", text, count=1)
    text = text.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)
    return re.sub(r">\s+<", "><", text).strip()
