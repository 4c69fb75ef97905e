"""The suites by name. A new suite is a module with a ``SUITE`` and a line here."""

from __future__ import annotations

from ..cases import Suite
from . import conv, elementwise, guide, matmul

SUITES: dict[str, Suite] = {
    suite.name: suite for suite in (guide.SUITE, elementwise.SUITE, matmul.SUITE, conv.SUITE)
}
