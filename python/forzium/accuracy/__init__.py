"""How far forzium's functions are from the exact values: ``python -m forzium accuracy``.

``oracle.py`` says what is exact, by NumPy, SciPy and mpmath in a wider type and never by forzium;
``inputs.py`` where to look; ``ulp.py`` what an error is; ``engine.py`` computes with one instruction set in a
process of its own; ``measure.py`` brings them together and ``table.py`` tells it.
"""
