"""The learning steps of `ceilings` once more in plain PyTorch: `python torch_steps.py TASK`.

Needs NumPy and PyTorch only. TASK is JSON: `net` (`mlp`, `spirit`, `csdi` or `unet`), `event`,
`batch`, `options`, `device`, `mode` (`eager` or `compiled`) and `precision` (`float32`, with the
products that the device likes, or `bfloat16`). It prints its number of parameters, and then, for
each number of steps that it reads, the seconds of one: by the clock on an accelerator, waited for,
and of the processor on a CPU.
"""

import json
import math
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
import torch_csdi
from torch import nn
from torch.nn import functional


def mlp(event: list[int], width: int, layers: int = 3) -> nn.Module:
    """MIRI's MLP: a row, two more like it, and the time."""
    size = math.prod(event)
    widths = [3 * size + 1, *[width] * layers]
    hidden = [part for a, b in zip(widths, widths[1:]) for part in (nn.Linear(a, b), nn.SiLU())]  # noqa: B905, RUF007

    class Velocity(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(*hidden, nn.Linear(width, size))

        def forward(self, x, t, given):
            rows = [part.flatten(1) for part in (x, given, given)]
            return self.layers(torch.cat([*rows, t[:, None]], dim=1)).reshape(x.shape)

    return Velocity()


def features(t: torch.Tensor, width: int) -> torch.Tensor:
    rate = torch.exp(torch.linspace(0.0, math.log(100.0), width // 2, device=t.device))
    angle = torch.log(t[:, None] + 1e-5) * rate
    return torch.cat([torch.sin(angle), torch.cos(angle)], dim=-1)


def spirit(event: list[int], width: int, layers: int = 3) -> nn.Module:
    """SPIRIT's MLP: layers whose normalisation is scaled, shifted and gated by the time."""
    size = math.prod(event)

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.LayerNorm(width, elementwise_affine=False)
            self.modulation = nn.Linear(width, 3 * width)
            self.up, self.down = nn.Linear(width, width), nn.Linear(width, width)

        def forward(self, h, c):
            scale, shift, gate = self.modulation(c).chunk(3, dim=-1)
            inner = self.norm(h) * (1 + scale) + shift
            return h + (1 + gate) * self.down(functional.silu(self.up(inner)))

    class Score(nn.Module):
        def __init__(self):
            super().__init__()
            self.inside, self.embed = nn.Linear(size, width), nn.Linear(width, width)
            self.blocks = nn.ModuleList(Block() for _ in range(layers))
            self.norm, self.outside = nn.LayerNorm(width), nn.Linear(width, size)

        def forward(self, x, t, given):
            del given
            c = functional.silu(self.embed(features(t, width)))
            h = self.inside(x.flatten(1))
            for block in self.blocks:
                h = block(h, c)
            return self.outside(self.norm(h)).reshape(x.shape)

    return Score()


def unet(event: list[int], width: int = 24) -> nn.Module:
    """The U-Net for fields: frames are channels, residual blocks at up to four resolutions."""
    frames, height, wide, channels = event
    levels = max(1, min(4, int(math.log2(min(height, wide) / 3)) + 1))
    widths, planes = [width * min(2**i, 4) for i in range(levels)], frames * channels

    def conv(a: int, b: int) -> nn.Module:
        return nn.Conv2d(a, b, 3, padding=1)

    class Residual(nn.Module):
        def __init__(self, own: int):
            super().__init__()
            groups = own // math.gcd(own, 8)
            self.first, self.second = conv(own, own), conv(own, own)
            self.norms = nn.ModuleList(nn.GroupNorm(groups, own) for _ in range(2))
            self.modulation = nn.Linear(width, 2 * own)

        def forward(self, h, c):
            scale, shift = self.modulation(c)[:, :, None, None].chunk(2, dim=1)
            inner = self.first(functional.silu(self.norms[0](h)))
            inner = self.norms[1](inner) * (1 + scale) + shift
            return h + self.second(functional.silu(inner))

    class UNet(nn.Module):
        def __init__(self):
            super().__init__()
            steps = list(zip(widths, widths[1:]))  # noqa: B905, RUF007
            self.embed, self.inside = nn.Linear(width, width), conv(2 * planes, width)
            self.down = nn.ModuleList(Residual(w) for w in widths)
            self.up = nn.ModuleList(Residual(w) for w in widths[:-1])
            self.widen = nn.ModuleList(conv(a, b) for a, b in steps)
            self.narrow = nn.ModuleList(conv(b, a) for a, b in steps)
            self.outside = conv(width, planes)

        def forward(self, x, t, given):
            c = functional.silu(self.embed(features(t, width)))
            flat = [a.permute(0, 1, 4, 2, 3).flatten(1, 2) for a in (x, given)]
            h, left = self.down[0](self.inside(torch.cat(flat, dim=1)), c), []
            for widen, block in zip(self.widen, self.down[1:], strict=True):
                left.append(h)
                h = block(widen(functional.avg_pool2d(h, 2, ceil_mode=True)), c)
            for narrow, block in zip(reversed(self.narrow), reversed(self.up), strict=True):
                skip = left.pop()
                wide = functional.interpolate(h, scale_factor=2, mode="nearest")
                h = block(skip + narrow(wide)[:, :, : skip.shape[2], : skip.shape[3]], c)
            out = self.outside(functional.silu(h)).unflatten(1, (frames, channels))
            return out.permute(0, 1, 3, 4, 2)

    return UNet()


def csdi(event: list[int], width: int, layers: int, heads: int) -> nn.Module:
    """CSDI's transformer, all entries shown."""
    net = torch_csdi.build(width, layers, heads, features=event[1])

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x, t, given):
            times = torch.arange(float(event[0]), device=x.device).expand(len(x), -1)
            seen = torch.ones_like(given, dtype=torch.bool)
            return self.net(x, t, given, seen, times)

    return Network()


NETS: dict[str, Callable[..., nn.Module]] = {
    "mlp": mlp, "spirit": spirit, "csdi": csdi, "unet": unet
}  # fmt: skip


def stepper(task: dict[str, Any], net: nn.Module) -> Callable[[], None]:
    """A step of denoising score matching, with its update."""
    device, half = torch.device(task["device"]), task["precision"] == "bfloat16"
    x = torch.randn(task["batch"], *task["event"], device=device)
    still = torch.zeros_like(x)
    fused = {"fused": True} if device.type == "cuda" else {}
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=1e-6, **fused)
    forward = torch.compile(net) if task["mode"] == "compiled" else net

    def step() -> None:
        t, noise = torch.rand(len(x), device=device) * 0.99 + 0.01, torch.randn_like(x)
        noised = x + t.reshape(-1, *(1 for _ in task["event"])) * noise
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            found = forward(noised, t, still)
        loss = ((found.float() - noise) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()

    return step


def serve(task: dict[str, Any]) -> None:
    """Train as often as told."""
    torch.manual_seed(0)
    if task["device"] == "cpu":
        torch.set_num_threads(1)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    net = NETS[task["net"]](task["event"], **task["options"]).to(task["device"])
    number = sum(p.numel() for p in net.parameters())
    print(json.dumps({"parameters": number, "torch": torch.__version__}), flush=True)
    step = stepper(task, net)
    for line in sys.stdin:
        steps = int(line)
        on = task["device"] != "cpu"
        begun = time.perf_counter() if on else time.process_time()
        for _ in range(steps):
            step()
        if on:
            torch.cuda.synchronize()
        ended = time.perf_counter() if on else time.process_time()
        print(json.dumps({"seconds": (ended - begun) / steps}), flush=True)


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
