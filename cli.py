"""The command line from a checkout: python cli.py track …"""

from startrack.__main__ import main

if __name__ == "__main__":
    main()
