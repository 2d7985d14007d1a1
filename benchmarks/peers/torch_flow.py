"""MIRI's learning loop in plain PyTorch: `python torch_flow.py ROWS COLUMNS WIDTH BATCH`.

Needs PyTorch only. It is written as the public code is: a loader of shuffled batches, pairs by one
permutation, errors picked by boolean indexing, Adam. It prints its number of parameters; then, for
each number of steps that it reads, the CPU-seconds of one.
"""

import json
import os
import sys
import time

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"


def serve(rows: int, columns: int, width: int, batch: int) -> None:
    """Learn for as many steps as told, again and again."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, mask = torch.randn(rows, columns), torch.rand(rows, columns) < 0.6
    order = torch.randperm(rows)
    pairs = TensorDataset(x, x[order], mask)
    net = nn.Sequential(
        nn.Linear(3 * columns + 1, width),
        nn.SiLU(),
        nn.Linear(width, width),
        nn.SiLU(),
        nn.Linear(width, width),
        nn.SiLU(),
        nn.Linear(width, columns),
    )
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)

    def batches():
        while True:
            yield from DataLoader(pairs, batch_size=batch, shuffle=True)

    def step(x0, x1, known):
        t = torch.rand(len(x0), 1)
        between = t * x1 + (1 - t) * x0
        a, b = torch.where(known, x0, between), torch.where(known, x1, between)
        found = net(torch.cat([a, b, known.float(), t], dim=1))
        loss = ((found - (x1 - x0))[~known] ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    endless = batches()
    size = sum(p.numel() for p in net.parameters())
    print(json.dumps({"parameters": size, "torch": torch.__version__}), flush=True)
    for line in sys.stdin:
        begun, steps = time.process_time(), int(line)
        for _ in range(steps):
            step(*next(endless))
        print(json.dumps({"seconds": (time.process_time() - begun) / steps}), flush=True)


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:]))
