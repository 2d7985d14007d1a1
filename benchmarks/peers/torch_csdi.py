"""CSDI's network once more in plain PyTorch: `python torch_csdi.py GIVEN.npz`.

Needs NumPy and PyTorch only. It prints how far its answer is from the one given and its number of
parameters; then, for each number of steps that it reads, the CPU-seconds of a step of training.
"""

import json
import math
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402

WAVES = 128
PARTS = ("step", "middle", "side", "out")
# names of the parts of a transformer layer here and there
LINEAR = {"out": "self_attn.out_proj", "up": "linear1", "down": "linear2"}
NORMS = {"first": "norm1", "second": "norm2"}


def build(width: int, layers: int, heads: int, features: int) -> Any:
    """The network of section 4 and appendix E of the paper, with SiLU for every activation."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.step = nn.Linear(WAVES, width)
            self.time, self.feature = (
                nn.TransformerEncoderLayer(
                    width, heads, width, 0.0, nn.functional.silu, batch_first=True
                )
                for _ in range(2)
            )
            self.middle = nn.Linear(width, 2 * width)
            self.side = nn.Linear(WAVES + 16 + 1, 2 * width)
            self.out = nn.Linear(width, 2 * width)

        def forward(self, x, step, side):
            n, length, d, _ = x.shape
            h = x + self.step(step)[:, None, None]
            h = self.time(h.transpose(1, 2).reshape(n * d, length, width))
            h = h.reshape(n, d, length, width).transpose(1, 2)
            h = self.feature(h.reshape(n * length, d, width)).reshape(x.shape)
            gate, signal = (self.middle(h) + self.side(side)).chunk(2, dim=-1)
            onward, skip = self.out(torch.sigmoid(gate) * torch.tanh(signal)).chunk(2, dim=-1)
            return (x + onward) / math.sqrt(2), skip

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside = nn.Linear(2, width)
            self.feature = nn.Embedding(features, 16)
            self.embed, self.embed_again = (nn.Linear(WAVES, WAVES) for _ in range(2))
            self.blocks = nn.ModuleList(Block() for _ in range(layers))
            self.head, self.out = nn.Linear(width, width), nn.Linear(width, 1)

        def forward(self, x, t, values, mask, times):
            silu = nn.functional.silu
            h = torch.stack([torch.where(mask, values, 0), torch.where(mask, 0, x)], dim=-1)
            h = silu(self.inside(h))
            step = silu(self.embed_again(silu(self.embed(waves(100 * t)))))
            time_ = waves(times)[:, :, None].expand(*x.shape, WAVES)
            feature = self.feature.weight.expand(*x.shape, 16)
            side = torch.cat([time_, feature, mask[..., None].to(x.dtype)], dim=-1)
            total = 0
            for block in self.blocks:
                h, skip = block(h, step, side)
                total = total + skip
            return self.out(silu(self.head(total / math.sqrt(layers))))[..., 0]

    def waves(position):
        even = torch.arange(0, WAVES, 2, device=position.device)
        rate = torch.exp(-math.log(1e4) * even / WAVES)
        angle = position[..., None] * rate
        return torch.cat([torch.sin(angle), torch.cos(angle)], dim=-1)

    return Network()


def weights(ours: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """This library's parameters, by slashed names, as those of the twin.

    Ours are stacked over blocks, and their kernels stand the other way round.
    """
    found = {"feature.weight": ours["feature/embedding"]}

    def linear(name: str, kernel: np.ndarray, bias: np.ndarray) -> None:
        found[f"{name}.weight"], found[f"{name}.bias"] = kernel.T, bias

    for name in ("inside", "embed", "embed_again", "head", "out"):
        linear(name, ours[f"{name}/kernel"], ours[f"{name}/bias"])
    for i in range(len(ours["blocks/step/bias"])):

        def part(name: str, i=i) -> np.ndarray:
            return ours[f"blocks/{name}"][i]

        for name in PARTS:
            linear(f"blocks.{i}.{name}", part(f"{name}/kernel"), part(f"{name}/bias"))
        for layer in ("time", "feature"):
            at = f"blocks.{i}.{layer}"
            found[f"{at}.self_attn.in_proj_weight"] = part(f"{layer}/qkv/kernel").T
            found[f"{at}.self_attn.in_proj_bias"] = part(f"{layer}/qkv/bias")
            for own, name in LINEAR.items():
                linear(f"{at}.{name}", part(f"{layer}/{own}/kernel"), part(f"{layer}/{own}/bias"))
            for own, name in NORMS.items():
                found[f"{at}.{name}.weight"] = part(f"{layer}/{own}/scale")
                found[f"{at}.{name}.bias"] = part(f"{layer}/{own}/bias")
    return found


def serve(path: str) -> None:
    """Check the twin against an answer of ours, then train it as often as told."""
    import torch

    torch.set_num_threads(1)
    with np.load(path) as file:
        given = dict(file)
    at = {k: torch.as_tensor(given[k]) for k in ("x", "t", "values", "mask", "times")}
    net = build(*(int(n) for n in given["sizes"]), features=at["x"].shape[-1])
    ours = {k.removeprefix("params/"): v for k, v in given.items() if k.startswith("params/")}
    net.load_state_dict({k: torch.tensor(v) for k, v in weights(ours).items()})
    with torch.no_grad():
        off = float((net(**at) - torch.as_tensor(given["answer"])).abs().max())
    about = {"off": off, "parameters": sum(p.numel() for p in net.parameters())}
    print(json.dumps(about | {"torch": torch.__version__}), flush=True)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-6)
    query = ~at["mask"]

    def step() -> None:
        noise = torch.randn_like(at["x"])
        loss = ((net(**{**at, "x": at["x"] + noise}) - noise)[query] ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()

    for line in sys.stdin:
        begun, steps = time.process_time(), int(line)
        for _ in range(steps):
            step()
        print(json.dumps({"seconds": (time.process_time() - begun) / steps}), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1])
