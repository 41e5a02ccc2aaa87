"""The command `vesalius`, and `python -m vesalius`, which is what `torchrun -m vesalius` starts."""

import sys


def run() -> None:
    """Load the command line and run it; being stopped while it loads is no error."""
    try:
        from vesalius.cli import main
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on", file=sys.stderr)
        raise SystemExit(130) from None
    main()


if __name__ == "__main__":
    run()
