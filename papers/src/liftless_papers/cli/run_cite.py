"""``liftless cite``."""

from liftless._errors import InvalidInput
from liftless._version import __version__
from liftless.cli.messages import emit
from liftless.cli.names import nearest
from liftless_papers.cli.options import CiteOptions
from liftless_papers.experiments import EXPERIMENTS
from liftless_papers.experiments.papers import OWN, PAPERS, Paper

SOFTWARE = "liftless: low-rank matrix recovery that escapes spurious local minima"


def run(options: CiteOptions) -> int:
    """Print a line of text and a BibTeX entry: of a paper, or of liftless for its own."""
    if options.name is None:
        emit(f"The liftless maintainers. {SOFTWARE}. Version {__version__}.")
        emit("")
        emit("@software{liftless,")
        emit("  author = {{The liftless maintainers}},")
        emit(f"  title = {{{{{SOFTWARE}}}}},")
        emit(f"  version = {{{__version__}}}")
        emit("}")
        return 0
    if options.name in EXPERIMENTS and options.name.startswith(f"{OWN}-"):
        return run(CiteOptions())
    paper = _paper(options.name)
    emit(paper.text)
    emit("")
    emit(paper.bibtex)
    return 0


def _paper(name: str) -> Paper:
    """Return the paper of that key, or the one behind the experiment of that name."""
    key = name.split("-")[0] if name in EXPERIMENTS else name
    if key not in PAPERS:
        names = [*PAPERS, *EXPERIMENTS]
        must = f"an experiment, or a paper: {', '.join(PAPERS)}"
        raise InvalidInput("name", repr(name), must, nearest(name, names))
    return PAPERS[key]
