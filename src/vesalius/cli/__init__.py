"""The command `vesalius`: what the user types, one file for each group, no logic."""

from __future__ import annotations

import functools
import os
import sys
import traceback
import warnings
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console

from vesalius import __version__
from vesalius.scans.formats.content import unreadable
from vesalius.scans.input_error import LONGEST_MESSAGE, InputError, printable

app = App(
    name="vesalius",
    help="""Make labelled synthetic scans with the properties you ask for, and prove their worth.

    vesalius cohort check my-scans/ looks at what you have; vesalius fit learns it;
    vesalius balance fills what is rare; vesalius prove measures whether it helps.
    """,
    version=__version__,
    help_format="markdown",
    default_parameter=Parameter(negative=()),  # a flag is given or left out
)
app.register_install_completion_command()


fits = App(name="fit", help="Fit a method to a cohort.")
pretrain = App(
    name="pretrain", help="Pre-train a segmenter on volumes without labels, real or synthetic."
)


RENAMED = {"protocol": "experiment", "progress": "forecast"}
"""Commands that are called otherwise now; the old names work for this release."""


@functools.cache
def _register() -> None:
    """Load the groups when the command runs, so that `--version` and completion stay quick."""
    from vesalius.cli import (
        audit,
        cohort,
        doctor,
        exporting,
        importing,
        information,
        phantom,
        proof,
        readers,
        synthesis,
        using,
        workbench,
    )
    from vesalius.cli.computing import SHARING, with_computing
    from vesalius.cli.examples import show_examples

    for group in (cohort.app, phantom.app, proof.experiment, readers.app):
        app.command(group)
    app.command(with_computing(importing.import_, SHARING), name="import")
    app.command(exporting.export)
    app.command(information.info)
    app.command(doctor.doctor)
    app.command(with_computing(workbench.open_), name="open")
    app.command(with_computing(synthesis.generate))
    app.command(with_computing(synthesis.balance))
    app.command(with_computing(synthesis.inpaint))
    app.command(with_computing(using.segment))
    app.command(with_computing(using.classify))
    app.command(with_computing(using.explain))
    app.command(with_computing(using.forecast))
    app.command(with_computing(proof.prove))
    app.command(with_computing(audit.audit))
    app.command(fits)
    app.command(pretrain)
    show_examples(app)


def _load_fits() -> None:
    """Make the commands of fits of the methods that are known, whose libraries take a while."""
    from vesalius.cli import fit
    from vesalius.cli.computing import FITTING, with_computing
    from vesalius.cli.examples import show_examples
    from vesalius.methods import method

    fit.add_methods(fits)
    if pretrain.default_command is None:
        pretrain.default(with_computing(fit.command_of(method("pretraining")), FITTING))
    show_examples(app)


def whole_app() -> App:
    """The command with all groups and fits loaded, for pages that show all of it."""
    _register()
    _load_fits()
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line: exit code 0 if all went well, 2 for bad input, 3 for cases to withhold.

    1 stands for anything else.
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in tokens
    tokens = [token for token in tokens if token != "--debug"]
    if not debug:
        warnings.simplefilter("ignore")
        os.environ.setdefault("PYTHONWARNINGS", "ignore")
    complain = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        _register()
        if tokens and tokens[0] in RENAMED:
            new = RENAMED[tokens[0]]
            complain.print(f"vesalius {tokens[0]} is now called vesalius {new}; type that")
            tokens[0] = new
        if {"fit", "pretrain", "--install-completion"} & set(tokens):
            _load_fits()
        app(tokens, exit_on_error=False, print_error=False, result_action="return_value")
    except InputError as refusal:
        if debug:
            traceback.print_exc()
        complain.print(f"[bold red]refused[/] {_plain(str(refusal))}")
        raise SystemExit(2) from None
    except CycloptsError as error:
        said = printable(str(error))
        shown = said if len(said) <= LONGEST_MESSAGE else said[: LONGEST_MESSAGE - 1] + "…"
        complain.print(f"[bold red]refused[/] {_plain(shown)}")
        raise SystemExit(2) from None
    except OSError as error:
        if debug:
            traceback.print_exc()
        if error.errno is None:
            raise SystemExit(_failed(complain, error)) from None
        complain.print(
            f"[bold red]refused[/] {_plain(str(unreadable(str(error.filename), error)))}"
        )
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        complain.print("stopped; run the same command again to go on")
        raise SystemExit(130) from None
    except Exception as error:
        if debug:
            raise
        raise SystemExit(_failed(complain, error)) from None


def _failed(complain: Console, error: Exception) -> int:
    line = printable(f"{type(error).__name__}: {error}")[:LONGEST_MESSAGE]
    complain.print(f"[bold red]failed[/] {_plain(line)}; add --debug for the traceback")
    return 1


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
