"""``python -m api.cli``."""

from api.cli.program import main

main()
