"""Diagnose and fix model folders: `examine(path)` reports everything that is wrong, `apply_fixes(report)` changes it.

Files are read without trust: nothing is executed or unpacked beyond its size, and a fault does not hide others.
"""

from hf_vits.doctor.diagnostics import ERROR, NOTE, SEVERITIES, WARNING, Diagnostic, Fix, Report
from hf_vits.doctor.examination import examine
from hf_vits.doctor.fixes import FixResult, apply_fixes

__all__ = [
    "ERROR",
    "NOTE",
    "SEVERITIES",
    "WARNING",
    "Diagnostic",
    "Fix",
    "FixResult",
    "Report",
    "apply_fixes",
    "examine",
]
