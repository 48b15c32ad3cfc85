"""``python -m zoopraxis`` is the ``zoopraxis`` command."""

from zoopraxis.cli import main

main()
