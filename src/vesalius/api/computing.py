"""How is computed: on which device, how exactly, in how many threads and processes."""

from __future__ import annotations

from collections.abc import Sequence

from vesalius.scans.computing import Precision, Tracker, set_computing


def computing(
    *, device: str | None = None, precision: Precision | None = None, threads: int | None = None,
    workers: int | None = None, cluster: str | None = None,
    trackers: Sequence[Tracker] | None = None,
) -> None:  # fmt: skip
    """Decide how is computed from now on, here and in processes that are started from here.

    Parameters
    ----------
    device
        `auto`, `cpu`, `cuda`, `cuda:1` or `mps`. `auto` is a GPU of CUDA if there is one, otherwise
        the CPU; Apple's GPU is used on request alone, since some 3D layers are missing there.
    precision
        `32-true` or `bf16-mixed`, instead of what recipes say.
    threads
        of one process.
    workers
        that read cases while a step computes, and processes that share the work by case.
    cluster
        address of a Dask scheduler, such as `tcp://host:8786`, whose workers share the work by case
        instead; they must see the same files. Empty for none.
    trackers
        that losses of fits are sent to beside `log.csv`: `tensorboard` writes events into the run,
        `mlflow` logs to `MLFLOW_TRACKING_URI`. They come with `pip install 'vesalius[tracking]'`.

    Raises
    ------
    InputError
        for a device or tracker that there is none of, or numbers out of bounds.

    >>> import vesalius as vs
    >>> vs.computing(workers=1)
    """
    set_computing(device, precision, threads, workers, cluster, trackers)
