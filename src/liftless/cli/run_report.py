"""``liftless report``."""

from liftless.cli.messages import emit, emit_json
from liftless.cli.options import ReportOptions
from liftless.io import check_target
from liftless.pages import write_report


def run(options: ReportOptions) -> int:
    """Write the page of a result, and say where it is."""
    check_target("out", options.out, (".html", ".htm"))
    told = write_report(options.file, options.out, options.title)
    if options.as_json:
        emit_json({"page": options.out, "kind": told["kind"], "title": told["title"]})
    else:
        emit(f"{told['kind']}: {told['lead']}")
        emit(f"  wrote  {options.out}")
    return 0
