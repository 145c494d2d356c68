"""The command line from a checkout: python cli.py track …"""

from startrack.commands.app import app

if __name__ == "__main__":
    app()
