"""Which process of how many this is. torchrun says so; without it there is one."""

import os
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Processes:
    """rank: of this process among `world_size`, of which `on_machine` run on each of `machines`."""

    rank: int = 0
    world_size: int = 1
    on_machine: int = 1
    machines: int = 1

    @classmethod
    def of_torchrun(cls) -> "Processes":
        """As torchrun's variables say; one process where they are not set."""
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            return cls()
        rank, world_size, on_machine = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"))
        return cls(rank, world_size, on_machine, world_size // on_machine)

    def say(self, message: str) -> None:
        """A line for people, once however many processes there are."""
        if self.rank == 0:
            print(message, file=sys.stderr, flush=True)
