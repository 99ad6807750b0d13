"""What every engine needs of the machine: blocks and threads, memory, draws, progress."""
