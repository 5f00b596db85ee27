"""`python -m aims_mlops` is `aims`."""

from aims_mlops.cli import main

if __name__ == "__main__":
    main()
