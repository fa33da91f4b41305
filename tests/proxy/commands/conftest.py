"""A real Postgres, for the commands that move stores."""

from support.postgres import postgres as postgres
