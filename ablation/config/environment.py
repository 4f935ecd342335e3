"""The part of the environment that a child process may see: an allow-list, in which no key can be."""

from collections.abc import Mapping

from ablation.config.credentials import is_key

# What a Slurm job may inherit. Slurm keeps it as plain text, and a node is not like the machine that submits.
JOBS = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TMPDIR", "SLURM_CONF", "HF_HOME", "HF_HUB_OFFLINE")
# What programs on this machine may inherit: where things are, and what numerical libraries are told.
_NAMES = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TMP", "TEMP", "VIRTUAL_ENV", "NO_COLOR", "TERM",
    "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
_BEGINNINGS = (
    "LC_", "LD_", "XDG_", "CONDA_", "CUDA_", "CUDNN_", "CUBLAS_", "NVIDIA_", "NCCL_", "GLOO_", "UCX_", "FI_", "ROCR_", "HIP_",
    "HSA_", "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "TORCH", "PYTORCH_", "TRITON_", "DS_", "VLLM_", "HF_", "TRANSFORMERS_",
    "TOKENIZERS_", "ACCELERATE_",
)  # fmt: skip
# For our own interpreter: its modules may be found through PYTHONPATH, which would lead another interpreter astray.
PYTHON = "PYTHON"
# For whoever takes a lease: within an allocation the job's number is the proof that it lives.
SLURM = "SLURM_"


def inherited(environment: Mapping[str, str], *more: str) -> dict[str, str]:
    """Return the part of an environment that a child on this machine is given; `more` are further beginnings of names."""
    beginnings = (*_BEGINNINGS, *more)
    return {
        name: value
        for name, value in environment.items()
        if (name in _NAMES or name.startswith(beginnings)) and not is_key(name)
    }
