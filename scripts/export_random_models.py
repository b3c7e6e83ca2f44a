"""Exports models of random weights; see `lab.random_models.command`."""

from lab.random_models.command import main

if __name__ == "__main__":
    main()
