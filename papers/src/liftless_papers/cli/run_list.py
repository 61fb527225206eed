"""``liftless list``."""

from liftless.cli.messages import emit_json, emit_table
from liftless_papers.experiments import EXPERIMENTS


def run(as_json: bool) -> int:
    """Print the experiments; nothing of them is loaded."""
    if as_json:
        listed = [
            {"name": name, "paper": name.split("-")[0], "title": title}
            for name, (_, _, title) in EXPERIMENTS.items()
        ]
        emit_json({"experiments": listed})
    else:
        emit_table([(name, title) for name, (_, _, title) in EXPERIMENTS.items()])
    return 0
