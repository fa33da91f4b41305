"""Every test of the transport runs on both loops, and leaves nothing behind."""

from support.loops import little_to_collect as little_to_collect
from support.loops import run as run
