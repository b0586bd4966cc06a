"""ozfig: from a website, documents or a data set to a measured assistant."""

__version__ = "0.1.0"
