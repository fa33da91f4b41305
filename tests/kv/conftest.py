"""Every test of the connection runs on both loops, and leaves nothing behind."""

from support.loops import little_to_collect as little_to_collect
from support.loops import run as run
from support.redis import redis as redis
