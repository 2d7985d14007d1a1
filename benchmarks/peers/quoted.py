"""Numbers as printed, never run here.

Tables 1 and 2 are (MAE, MSE) by Chen et al. (2026), means over the missing ratios 0.1 to 0.6.
"""

# Table 1
TABLE_1: dict[str, dict[str, tuple[float, float]]] = {
    "etth1": {
        "Crossformer": (0.265, 0.191),
        "TimesNet": (0.246, 0.116),
        "PatchTST": (0.204, 0.093),
        "Autoformer": (0.628, 0.915),
        "ETSformer": (0.279, 0.179),
        "FiLM": (0.434, 0.436),
        "DLinear": (0.251, 0.135),
        "GP-VAE": (0.316, 0.192),
        "CSDI": (0.248, 0.319),
        "Glocal": (0.240, 0.121),
        "Sinkhorn": (0.752, 0.994),
        "TDM": (0.750, 0.992),
        "PSW-I": (0.219, 0.112),
        "SPIRIT": (0.209, 0.108),
    },
    "exchange": {
        "Crossformer": (0.318, 0.291),
        "TimesNet": (0.240, 0.127),
        "PatchTST": (0.170, 0.058),
        "Autoformer": (0.712, 1.193),
        "ETSformer": (0.178, 0.057),
        "FiLM": (0.204, 0.077),
        "DLinear": (0.199, 0.073),
        "GP-VAE": (0.337, 0.211),
        "CSDI": (0.087, 0.030),
        "Glocal": (0.163, 0.051),
        "Sinkhorn": (0.826, 0.996),
        "TDM": (0.822, 0.991),
        "PSW-I": (0.024, 0.002),
        "SPIRIT": (0.023, 0.002),
    },
    "ettm1": {
        "Crossformer": (0.703, 0.966),
        "TimesNet": (0.147, 0.045),
        "PatchTST": (0.126, 0.038),
        "Autoformer": (0.650, 1.121),
        "ETSformer": (0.201, 0.097),
        "FiLM": (0.248, 0.127),
        "DLinear": (0.211, 0.096),
        "GP-VAE": (0.246, 0.121),
        "CSDI": (0.117, 0.041),
        "Glocal": (0.140, 0.044),
        "Sinkhorn": (0.754, 1.000),
        "TDM": (0.754, 1.000),
        "PSW-I": (0.122, 0.041),
        "SPIRIT": (0.118, 0.037),
    },
}

# Table 2, by (weights on, dissipative term removed)
TABLE_2: dict[str, dict[tuple[bool, bool], tuple[float, float]]] = {
    "etth1": {
        (True, False): (0.237, 0.137),
        (False, True): (0.227, 0.133),
        (False, False): (0.573, 0.534),
        (True, True): (0.209, 0.108),
    },
    "ettm1": {
        (True, False): (0.137, 0.047),
        (False, True): (0.162, 0.053),
        (False, False): (0.529, 0.443),
        (True, True): (0.118, 0.037),
    },
}

# (RMSE, MAE, MMD) by Yu et al. (2025), Table 3: the mixture of two clusters, 30 % missing
MIRI_TABLE_3 = {
    "GAIN": ("1.128 ± 0.004", "0.600 ± 0.002", "0.342 ± 0.015"),
    "TabCSDI": ("1.128 ± 0.004", "0.600 ± 0.002", "0.337 ± 0.010"),
    "KnewImp": ("1.130 ± 0.004", "0.600 ± 0.002", "0.335 ± 0.009"),
    "MissDiff": ("0.951 ± 0.008", "0.437 ± 0.004", "0.189 ± 0.009"),
    "HyperImpute": ("0.862 ± 0.020", "0.278 ± 0.006", "0.094 ± 0.018"),
    "MIRI": ("0.938 ± 0.022", "0.325 ± 0.009", "0.036 ± 0.007"),
}

# CSBI's released samples of its synthetic data: RMSE, MAE, CRPS, recomputed from them
CSBI_WAVES = (0.0656, 0.0452, 0.0741)
# CSBI, Table 2: CRPS of forecasts of the exchange rates
CSBI_EXCHANGE = {"GP-copula": 0.008, "Vec": 0.009, "TransMAF": 0.012, "CSBI": 0.008}

# (RMSE, MAE, CRPS) by Chen et al. (2023): fine dust, and intensive care with a tenth and half of
# what was measured hidden. The samples that were released with their checkpoint have 19.83, 9.85
# and 0.110 on fine dust
MONITORS = {
    "pm25": {"CSDI": ("19.3", "9.86", "0.11"), "CSBI": ("19.0", "9.80", "0.11")},
    "physionet:10": {"CSDI": ("0.57", "0.24", "0.26"), "CSBI": ("0.55", "0.23", "0.25")},
    "physionet:50": {"CSDI": ("0.65", "0.32", "0.35"), "CSBI": ("0.63", "0.31", "0.35")},
}

# (PSNR, SSIM) by Yu et al. (2025), Table 1: CIFAR-10, all channels of a pixel missing together. Its
# FID column is left out: nothing here may stand beside it
MIRI_TABLE_1 = {
    0.2: {
        "GAIN": ("21.21", "0.7803"),
        "KnewImp": ("18.84", "0.6463"),
        "MissDiff": ("22.29", "0.7702"),
        "HyperImpute": ("34.09", "0.9750"),
        "MIRI": ("32.29", "0.9736"),
    },
    0.4: {
        "GAIN": ("16.20", "0.5576"),
        "KnewImp": ("15.81", "0.4740"),
        "MissDiff": ("19.65", "0.6648"),
        "HyperImpute": ("23.22", "0.7931"),
        "MIRI": ("27.14", "0.9126"),
    },
    0.6: {
        "GAIN": ("11.99", "0.2933"),
        "KnewImp": ("14.04", "0.3317"),
        "MissDiff": ("16.78", "0.4989"),
        "HyperImpute": ("20.17", "0.6533"),
        "MIRI": ("23.22", "0.8063"),
    },
}
