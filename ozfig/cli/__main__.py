"""`python -m ozfig.cli` is the same as `ozfig`."""

from ozfig.cli import main

main()
