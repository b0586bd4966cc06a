"""Where the text comes from: web sites, documents, data sets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ozfig.recipe.section import Section


class Website(Section):
    """A web site, crawled from one address, by its sitemap or by a list."""

    kind: Literal["website"] = "website"
    url: str = ""
    """Where the crawl starts; a sitemap's own address (.xml, .xml.gz) takes what it lists."""
    urls: list[str] = []
    """Further addresses to fetch."""
    urls_from: str = ""
    """A text file with one address a line, to fetch too."""
    follow: Literal["auto", "links", "sitemap", "none"] = "auto"
    """links: links and sitemaps; sitemap: only what sitemaps list; none: only the named addresses; auto: links, or \
none where a list is given."""
    scope: Literal["folder", "host", "domain"] = "folder"
    """How far links are followed: below the start's folder, on its host, or on every host of its domain. The domain \
is told by a cautious rule, not by the public suffix list."""
    include: list[str] = []
    """Only addresses whose path matches one of these patterns, such as /docs/*; `re:` begins a regular expression. \
The start is read for its links in any case."""
    exclude: list[str] = []
    """No addresses whose path matches one of these patterns."""
    connect_to: str = ""
    """Host and port that really answer for the address, as in curl's --connect-to."""
    serve: str = ""
    """A folder of files that ozfig itself serves on loopback as this site, for trying things out offline."""
    max_pages: int = Field(300, ge=1)
    """Stop after this many pages."""
    depth: int = Field(10, ge=0)
    """Follow links at most this far from the start."""
    delay: float = Field(0.0, ge=0)
    """Seconds between two requests to one host; robots.txt may ask for more."""
    concurrency: int = Field(8, ge=1, le=32)
    """Requests under way at once to one host; fewer while the host is overloaded."""
    timeout: float = Field(20.0, gt=0)
    """Seconds after which a request is given up, whole body included, and tried again."""
    retries: int = Field(3, ge=0, le=10)
    """How often an address that fails is asked again."""
    max_mb: float = Field(10.0, gt=0)
    """Longest page in megabytes; longer ones are reported and left out."""
    render: Literal["auto", "always", "never"] = "auto"
    """Run a page's scripts in a browser: auto does so for pages that hold no text without them."""
    allow_private: bool = False
    """Crawl loopback and private addresses too."""

    @model_validator(mode="after")
    def _has_start(self) -> Website:
        if not (self.url or self.urls or self.urls_from):
            raise ValueError("name the site's url, or its pages under urls or urls_from")
        return self


class Documents(Section):
    """A folder or file of Markdown, HTML, text, PDF, DOCX, PPTX or EPUB."""

    kind: Literal["documents"] = "documents"
    path: str
    """The folder or file, relative to the recipe."""
    include: list[str] = []
    """Only files whose path below the folder matches one of these patterns, such as *.md."""
    exclude: list[str] = []
    """No files whose path matches one of these patterns."""


class Dataset(Section):
    """Questions and answers or conversations from a file or the hub; their shape is told by their keys."""

    kind: Literal["dataset"] = "dataset"
    path: str = ""
    """CSV, TSV, JSON, JSONL (also gzipped) or Parquet: question/answer, messages, ShareGPT, Alpaca, \
prompt/completion, SQuAD."""
    hub: str = ""
    """A data set of the hub instead of a file, such as yahma/alpaca-cleaned."""
    subset: str = ""
    """hub: which configuration of the data set."""
    split: str = "train"
    """hub: which split."""
    revision: str = ""
    """hub: branch, tag or commit."""
    columns: dict[str, str] = {}
    """Which column is the question, answer, context, system text or conversation: {question: q, answer: a}."""
    limit: int | None = Field(None, ge=1)
    """Take at most this many questions, from the top."""
    sample: int | None = Field(None, ge=1)
    """Take this many questions of those within the limit, chosen by their content's hash."""
    max_bad: float = Field(0.01, ge=0, le=1)
    """Share of bad rows that is skipped and reported; with more the file is refused."""
    documents_from: Literal["context", "none"] = "none"
    """`context` also keeps each distinct context as a document."""
    groups: Literal["all", "first_half", "second_half"] = "all"
    """SQuAD only: which half of the articles to take, by the hash of the title."""

    @model_validator(mode="after")
    def _has_place(self) -> Dataset:
        if bool(self.path) == bool(self.hub):
            raise ValueError("name either a path or a hub id")
        return self

    @classmethod
    def of(cls, named: Dataset | str) -> Dataset:
        """The data set itself, or that of a file's path."""
        return cls(path=named) if isinstance(named, str) else named


class Feedback(Section):
    """What people thought of answers in the chat: corrections, thumbs up, preferred answers."""

    kind: Literal["feedback"] = "feedback"
    database: str = ""
    """The chat's database: a SQLite file or an SQLAlchemy URL; by default OZFIG_DATABASE_URL or the user's own. \
New feedback is asked for with --refresh."""
    take: list[Literal["corrected", "liked"]] = Field(["corrected", "liked"], min_length=1)
    """corrected: the better words that a person gave; liked: answers with a thumb up, or preferred to another one."""


Source = Annotated[Website | Documents | Dataset | Feedback, Field(discriminator="kind")]


class Gather(Section):
    """Where the text comes from."""

    sources: list[Source] = Field(min_length=1)
    """One or more of website, documents, dataset, feedback."""
