"""`hf-vits doctor`: report what is wrong with a model folder, and fix it."""

import argparse
import json
import os
import sys

from hf_vits.utils.threads import add_threads, use_threads

HELP = "Examine a model folder: report what is wrong with it, and fix it."

EPILOG = (
    "Exit code: 0 if there are no errors (with --strict, and no warnings), 1 if there are or if a fix failed, 2 for "
    "wrong usage. With --fix, what is left after the fixes counts."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.epilog = EPILOG
    parser.add_argument(
        "voice",
        help="the model folder, or default (en_US-joe-medium); for a file of another project, prints how to convert it",
    )
    parser.add_argument(
        "--fix",
        action="store_true",
        help="apply the fixes of errors and warnings that need no decision: JSON files are replaced, weights are "
        "written to a copy of the folder, named VOICE-fixed",
    )
    parser.add_argument(
        "--only", action="append", metavar="ID", default=[], help="with --fix, apply the fix of this diagnostic alone"
    )
    parser.add_argument("--dry-run", action="store_true", help="with --fix, print the fixes and change nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object, for scripts")
    parser.add_argument("--strict", action="store_true", help="count warnings as errors in the exit code")
    add_threads(parser)


def run(options: argparse.Namespace) -> int:
    """Examine the folder, apply fixes if asked for, print the report, and return the exit code."""
    from hf_vits.conversion.resolve import known_voice
    from hf_vits.doctor import apply_fixes, examine

    if (options.only or options.dry_run) and not options.fix:
        raise ValueError("`--only` and `--dry-run` need `--fix`.")
    use_threads(options.threads)
    report = examine(known_voice(options.voice) or options.voice)
    if unknown := {*options.only} - {diagnostic.id for diagnostic in report.diagnostics if diagnostic.fix}:
        raise ValueError(f"`--only`: there is no fix for {', '.join(sorted(unknown))} in this report.")
    results = apply_fixes(report, options.only, options.dry_run) if options.fix else []
    changed = [result.folder for result in results if result.folder]
    if changed:
        report = examine(changed[-1])  # the copy, if there is one, has the edits too
    if options.json:
        fixes = {"fixes": [vars(result) for result in results]} if options.fix else {}
        output = json.dumps({**report.as_dict(), **fixes}, indent=2, default=str)
    else:
        lines = [result.as_text() for result in results] or ["no fix applies"] * options.fix
        output = "\n".join([*lines, *[""] * options.fix, report.as_text()])
    try:
        print(output, flush=True)
    except BrokenPipeError:  # the reader has closed the pipe, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return max(report.exit_code(options.strict), any(result.status == "failed" for result in results))
