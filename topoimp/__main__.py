"""``python -m topoimp`` runs the program ``topoimp``: the one file of the library that imports the command line."""

from topoimp_cli.app import run

if __name__ == "__main__":
    run()
