"""The pairs of a run to look at and to change. Changes go into its layer of edits, as those of `ozfig review` do."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, StringConstraints

from ozfig.edits import Edit
from ozfig.errors import UserError
from ozfig.serve.problems import ApiError
from ozfig.serve.studio import views
from ozfig.serve.studio.home import TheHome

router = APIRouter(include_in_schema=False)
SHOWN = 50
FATES = {
    "": "All",
    "train": "Trained on",
    "held_out": "Held out",
    "dropped": "Dropped",
    "flagged": "To look at",
    "changed": "Changed",
}
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100_000)]


class Filters(BaseModel):
    """Which pairs are shown; what is empty shows all."""

    fate: Literal["", "train", "held_out", "dropped", "flagged", "changed"] = ""
    origin: Text = ""
    maker: Text = ""
    reason: Text = ""
    text: Text = ""

    def link(self, **changed: Any) -> str:
        """The query of these filters with some changed."""
        return "?" + urlencode({k: v for k, v in {**self.model_dump(), **changed}.items() if v})


class Wanted(Filters):
    """The filters and the page, from 1."""

    page: Annotated[int, Query(ge=1, le=10**9)] = 1


class Change(BaseModel):
    """What a person does to a pair. The texts are those of an edit: all of them, as they should be."""

    action: Literal["edit", "drop", "restore"]
    question: Text = ""
    answer: Text = ""
    context: Text = ""


@router.get("/runs/{name}/review")
def show(name: str, wanted: Annotated[Wanted, Query()], home: TheHome) -> HTMLResponse:
    """A page of pairs with the filters."""
    filters = Filters(**wanted.model_dump(exclude={"page"}))
    try:
        run = home.run(name)
        shelf = home.shelf(run)
    except ApiError as error:
        return views.page("missing", 404, message=error.message, home=home)
    except UserError as error:
        return views.page("missing", 404, message=str(error), home=home)
    start = (wanted.page - 1) * SHOWN
    cards, total = shelf.find(filters.model_dump(), start, SHOWN)
    return views.page(
        "review",
        home=home,
        name=name,
        folder=run.folder,
        cards=cards,
        counts=shelf.counts(),
        fates=FATES,
        filters=filters,
        total=total,
        start=start,
        page=wanted.page,
        pages=max(1, -(-total // SHOWN)),
        waiting=shelf.waiting,
        is_filtered=any(filters.model_dump().values()),
    )


@router.post("/runs/{name}/review/{pair}")
def change(name: str, pair: str, body: Change, home: TheHome) -> dict[str, Any]:
    """Edit, drop or restore a pair; the answer holds how it looks now.

    Raises ApiError: 404 no such run, 400 an edit without words or a pair that cannot be changed, 409 a run under way.
    """
    run = home.run(name)
    if body.action == "edit" and not (body.question and body.answer):
        raise ApiError(400, "a pair needs a question and an answer; drop it instead", "invalid_value")
    if run.is_busy:
        raise ApiError(409, "this run is under way; change its pairs when it has ended", "busy")
    try:
        shelf = home.shelf(run)
        words = (body.question, body.answer, body.context) if body.action == "edit" else ()
        card = shelf.change(Edit(body.action, pair, *words))
    except UserError as error:
        raise ApiError(400, str(error), "invalid_value") from None
    return {"html": views.html("pair", card=card), "waiting": shelf.waiting, "counts": shelf.counts()["fate"]}
