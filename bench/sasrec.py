"""SASRec (Kang and McAuley, ICDM 2018) of RecTools on one question; runs in an environment of its
own, because PyTorch is larger than all the rest (`requirements/bench-sasrec.txt`, 5.5 GB).

    python bench/sasrec.py IN.npz OUT.npy

IN.npz: `user_ids`, `movie_ids`, `times` of the train rows, `people` who ask, `seed`. OUT.npy: lists
[people, 10] of movie ids, best first; -1 for a person without rows. Nothing is tuned: the paper's
parameters for MovieLens (two blocks, one head, 50 factors, the last 200 titles, 200 epochs).
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import seed_everything
from rectools.dataset import Dataset
from rectools.models import SASRecModel

LENGTH = 10
PARAMETERS: dict[str, Any] = {
    "n_blocks": 2,
    "n_heads": 1,
    "n_factors": 50,
    "session_max_len": 200,
    "dropout_rate": 0.2,
    "loss": "BCE",
    "n_negatives": 1,
    "lr": 0.001,
    "batch_size": 128,
    "epochs": 200,
}


def main() -> int:
    """Fit on the rows of the first argument, write the lists to the second."""
    torch.set_num_threads(1)
    given = np.load(sys.argv[1])
    seed_everything(int(given["seed"]))
    dataset = Dataset.construct(in_order(given))
    model = SASRecModel(**PARAMETERS, deterministic=True, recommend_torch_device="cpu")
    model.fit(dataset)
    np.save(sys.argv[2], lists(model, dataset, given["people"], np.unique(given["user_ids"])))
    return 0


def in_order(given: Any) -> pd.DataFrame:
    """The rows as RecTools reads them; those of one second in the order of their titles."""
    order = np.lexsort((given["movie_ids"], given["times"]))
    place = pd.to_datetime(np.arange(len(order)), unit="s")
    users, items = given["user_ids"][order], given["movie_ids"][order]
    columns = {"user_id": users, "item_id": items, "weight": 1.0, "datetime": place}
    return pd.DataFrame(columns)


def lists(model: Any, dataset: Any, people: Any, known: Any) -> Any:
    """Ten titles a person that they did not rate; -1 where the person has no rows."""
    found = np.full((len(people), LENGTH), -1, dtype=np.int64)
    asking = people[np.isin(people, known)]
    table = model.recommend(asking, dataset, k=LENGTH, filter_viewed=True)
    rows = np.searchsorted(people, table["user_id"].to_numpy())
    found[rows, table["rank"].to_numpy() - 1] = table["item_id"].to_numpy()
    return found


if __name__ == "__main__":
    sys.exit(main())
