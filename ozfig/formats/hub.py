"""Rows of a data set of the hub, as they come over the network."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ozfig.errors import MissingExtra, OutsideError, UserError
from ozfig.formats.rows import Row
from ozfig.recipe import Dataset


def read_rows(section: Dataset) -> Iterator[Row]:
    """The rows of one split, numbered from 1, none of them kept; HF_ENDPOINT names another hub, HF_TOKEN who asks.

    Raises MissingExtra without the extra "hub", UserError for a data set that is not there, closed or has no such
    subset or split, OutsideError when the hub does not answer.
    """
    try:
        import datasets
        from huggingface_hub.errors import GatedRepoError, HfHubHTTPError
    except ModuleNotFoundError:
        raise MissingExtra("a data set of the hub", "hub") from None
    name = section.hub
    try:
        rows = datasets.load_dataset(
            name,
            section.subset or None,
            split=section.split,
            revision=section.revision or None,
            streaming=True,
            token=os.environ.get("HF_TOKEN") or False,
        )
        for number, values in enumerate(rows, 1):
            yield Row(number, values)
    except (datasets.exceptions.DatasetNotFoundError, GatedRepoError) as error:
        raise UserError(
            f"{name}: the hub has no such data set, or it is closed: accept its terms on its page and set HF_TOKEN "
            f"({str(error).splitlines()[0]})"
        ) from None
    except ValueError as error:  # an unknown subset or split
        raise UserError(f"{name}: {str(error).splitlines()[0]}") from None
    except (ConnectionError, OSError, HfHubHTTPError) as error:
        raise OutsideError(f"{name}: the hub does not answer: {str(error).splitlines()[0]}; run it again") from None
