"""The papers behind the experiments, for citation."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """What a citation needs.

    Attributes
    ----------
    key : str
        As in the names of the experiments, such as "sod".
    kind : str
        Type of the BibTeX entry.
    authors : tuple of str
        "Family, Given" each.
    title, venue : str
        The venue is empty for a preprint.
    year : int
    arxiv : str
        Number of the preprint; empty where there is none.
    """

    key: str
    kind: str
    authors: tuple[str, ...]
    title: str
    year: int
    venue: str = ""
    arxiv: str = ""

    @property
    def text(self) -> str:
        """One line of plain text."""
        names = [" ".join(reversed(name.split(", "))) for name in self.authors]
        joined = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
        parts = [f"{joined} ({self.year}). {self.title}"]
        parts += [part for part in (self.venue, f"arXiv:{self.arxiv}" * bool(self.arxiv)) if part]
        return ". ".join(parts) + "."

    @property
    def bibtex(self) -> str:
        """A BibTeX entry."""
        fields = {
            "author": " and ".join(self.authors),
            # Braces keep the capitals.
            "title": "{" + self.title + "}",
            ("booktitle" if self.kind == "inproceedings" else "journal"): self.venue,
            "year": str(self.year),
        }
        if self.arxiv:
            fields |= {"eprint": self.arxiv, "archivePrefix": "arXiv"}
        lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
        family = self.authors[0].split(",")[0].lower()
        return f"@{self.kind}{{{family}{self.year}{self.key},\n" + ",\n".join(lines) + "\n}"


#: Papers by their key.
PAPERS: dict[str, Paper] = {
    "sod": Paper(
        key="sod",
        kind="misc",
        authors=("Shen, Tianqi", "Yang, Jinji", "He, Junze", "Gao, Kunhan", "Ma, Ziye"),
        title=(
            "Escaping Local Minima Provably in Non-convex Matrix Sensing: "
            "A Deterministic Framework via Simulated Lifting"
        ),
        year=2026,
        arxiv="2602.05887",
    ),
    "local": Paper(
        key="local",
        kind="inproceedings",
        authors=("Bhojanapalli, Srinadh", "Neyshabur, Behnam", "Srebro, Nathan"),
        title="Global Optimality of Local Search for Low Rank Matrix Recovery",
        year=2016,
        venue="Advances in Neural Information Processing Systems",
        arxiv="1605.07221",
    ),
    "ipgd": Paper(
        key="ipgd",
        kind="misc",
        authors=("Ma, Jianhao", "Liang, Geyu", "Fattahi, Salar"),
        title=(
            "Implicit Regularization of Infinitesimally-perturbed Gradient Descent "
            "Toward Low-dimensional Solutions"
        ),
        year=2025,
        arxiv="2505.17304",
    ),
}


#: Whose statements there are: the papers', and those that liftless adds.
OWN = "own"
SOURCES = (*PAPERS, OWN)
