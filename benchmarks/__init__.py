"""What the library is measured by: `python -m benchmarks.series`, `ablation`, and so on."""

import os

# Before numpy is imported: the threads of its linear algebra spin while they wait, and on a busy
# machine that multiplies the time of XLA's own small factorisations.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
