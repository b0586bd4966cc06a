"""The pages of the runs: how each one goes, its curve and report, and its pairs to look at and to change."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from ozfig.serve import styles
from ozfig.serve.studio import review, routes
from ozfig.serve.studio.home import Home


def install(app: FastAPI, folder: Path | None, has_chat: bool = True) -> None:
    """Add the pages of a folder of runs to an app; without a folder they say how to have one."""
    app.state.home = Home(folder, has_chat)
    app.include_router(styles.router)
    app.include_router(routes.router)
    app.include_router(review.router)
