"""python -m startrack: the command line."""

from startrack.commands.app import app

if __name__ == "__main__":
    app(prog_name="startrack")
