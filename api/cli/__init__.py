"""The command line ``lianpian``: data to stdout, progress to stderr, documented exit codes.

0 ok · 1 failure · 2 usage · 3 invalid input · 5 store unreachable
"""

# The commands register themselves with the application when they are imported, in the order in which help lists them.
from api.cli import service, layers, analysis, fit, findings, ledger, rules, tiles  # isort: skip
from api.cli.program import main

__all__ = ["analysis", "findings", "fit", "layers", "ledger", "main", "rules", "service", "tiles"]
