"""`python -m jobtail` is the command `jobtail`."""

from jobtail.shell.cli import main

if __name__ == "__main__":
    main()
