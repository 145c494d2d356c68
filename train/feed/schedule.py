"""The order in which a whole training sees its items."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from startrack.train.feed.dataset import ItemKey


class TrainingSchedule(Sampler[list[ItemKey]]):
    """Batches of all epochs in one stream, each epoch freshly shuffled; a last, smaller batch is dropped.

    The stream is a function of the seed, and can begin at any step: a resumed training sees the samples that the
    interrupted
    one would have seen. Of several processes each sees its share of every batch; together they see the batches that
    one would.
    """

    def __init__(
        self,
        num_items: int,
        *,
        batch_size: int,
        epochs: int,
        seed: int = 0,
        first_step: int = 0,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        """share: number of this process, and how many there are."""
        self.num_items = num_items
        self.batch_size = min(batch_size, num_items)
        self.steps_per_epoch = num_items // self.batch_size
        self.total_steps = self.steps_per_epoch * epochs
        self.seed = seed
        self.first_step = first_step
        self.share = share

    def __len__(self) -> int:
        return max(self.total_steps - self.first_step, 0)

    def __iter__(self) -> Iterator[list[ItemKey]]:
        rank, ranks = self.share
        step = self.first_step
        while step < self.total_steps:
            epoch, skipped = divmod(step, self.steps_per_epoch)
            order = np.random.default_rng((self.seed, epoch)).permutation(self.num_items)
            for batch in range(skipped, self.steps_per_epoch):
                chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size]
                yield [ItemKey(epoch, int(index)) for index in chosen[rank::ranks]]
                step += 1
