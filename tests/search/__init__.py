"""Text search in histories: right (an oracle), quick (a million messages), and no burden for anybody else."""
