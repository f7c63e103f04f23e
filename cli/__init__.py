"""The command line: it reads arguments, calls the library, and prints. Installed as ``topoimp_cli``."""
