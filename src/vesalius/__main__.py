"""`python -m vesalius`, which is what `torchrun -m vesalius` starts."""

from vesalius.cli import main

if __name__ == "__main__":
    main()
