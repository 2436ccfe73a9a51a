"""What is wrong with a folder that is meant to be a voice, and how to mend it: `examine(path)`.

Everything is read without trust: nothing is executed or unpacked beyond its size, and a fault does not end the search
for others. Each check is a function of what was read, and gives findings.
"""

from hf_vits.doctor.examination import Report, examine
from hf_vits.doctor.findings import ERROR, NOTE, SEVERITIES, WARNING, Diagnostic

__all__ = ["ERROR", "NOTE", "SEVERITIES", "WARNING", "Diagnostic", "Report", "examine"]
