"""The benchmark: forzium beside other libraries, measured by the rules of one fair game.

Every library lives in a process of its own, all get the same inputs and the same number of threads,
and they take turns, case by case and round by round; a figure is the minimum over the rounds. Each
result is checked against an independent oracle before it is timed.

A suite is a table of cases (``suites/``); a case names an operation (``operations.py``: its inputs
and what is right), and a library joins in by saying how it computes that operation
(``libraries/``). Everything else is the same for all: ``worker.py`` times, ``runner.py`` takes
turns, ``probes.py`` measures what needs a fresh process, ``results.py`` keeps it, ``claims.py``,
``charts.py`` and ``report.py`` tell it.
"""
