"""Verbs and flags: parses, calls, prints. Nothing else.

Heavy modules are imported inside the verbs, so that `ozfig --help` is instant.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from cyclopts import App, CycloptsError

from ozfig import __version__, console
from ozfig.cli import looking, making, serving
from ozfig.cli.options import explain
from ozfig.errors import OzfigError

app = App(
    name="ozfig",
    help="From a website, documents or a data set to a measured assistant, in one command.",
    version=__version__,
    help_epilogue="Start with: ozfig run demo",
)
experiment = App(
    name="experiment", help="Make runs that differ in one choice, and say what the choice did.", sort_key=9
)
experiment.command(making.context)
app.command(experiment)
# where each verb stands in the help; those of one place stand by their names
PLACES: dict[Callable[..., None], int] = {
    making.run: 0,
    making.gather: 1,
    making.prepare: 2,
    making.tune: 3,
    making.export: 4,
    making.evaluate: 5,
    making.plan: 6,
    looking.compare: 7,
    looking.report: 7,
    looking.review: 7,
    serving.serve: 8,
    serving.chat: 9,
    looking.doctor: 10,
    serving.publish: 10,
    making.pretrain: 11,
}
for _verb, _place in PLACES.items():
    app.command(_verb, sort_key=_place)


def main() -> None:
    """Entry point: turns every explained failure into one line and an exit code."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # threads that wait must sleep: spinning ones slow a shared machine to a tenth
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    argv = sys.argv[1:]
    try:
        app(argv, exit_on_error=False, print_error=False, result_action="return_value")
        explain(argv)
    except CycloptsError as error:
        console.fail(" ".join(str(error).split()))
        sys.exit(2)
    except OzfigError as error:
        console.fail(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        console.say("stopped; the same command continues where it was")
        sys.exit(130)
