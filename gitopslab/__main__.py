"""`python -m gitopslab` is the `gitopslab` command."""

from gitopslab.cli import main

main()
