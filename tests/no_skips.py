"""A pytest plugin (``-p tests.no_skips``): a run in which a test was skipped has failed.

A skipped test proves nothing, so the checking machine allows none. The one exception are tests marked ``real_land``
on a machine without the real layers, which are too large for the repository.
"""

from __future__ import annotations

from pathlib import Path

import pytest

REAL_LAND = Path(__file__).resolve().parents[2] / "shared" / "data"


class NoSkips:
    """Collects what was skipped and fails the run over it."""

    def __init__(self) -> None:
        self.skipped: list[str] = []

    def note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        """Keep the name of a test or a file that was skipped, unless it may be."""
        if not report.skipped or hasattr(report, "wasxfail"):
            return
        if "real_land" in getattr(report, "keywords", {}) and not REAL_LAND.exists():
            return
        self.skipped.append(report.nodeid)

    pytest_runtest_logreport = note
    pytest_collectreport = note

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn a green run into a red one."""
        if self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say why."""
        if self.skipped:
            terminalreporter.section("skipped, and nothing may be", red=True)
            for nodeid in self.skipped:
                terminalreporter.line(nodeid)


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugin with a state of its own."""
    config.pluginmanager.register(NoSkips(), "no_skips")
