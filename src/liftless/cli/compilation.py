"""JAX's persistent compilation cache, which only the command line turns on."""

import os
from pathlib import Path

from liftless.cli.messages import note


def cache_directory() -> Path | None:
    """Where compiled code is kept from one run to the next.

    LIFTLESS_CACHE_DIR, or JAX's own JAX_COMPILATION_CACHE_DIR, or ``liftless`` in the user's cache
    directory; None if there is no home.
    """
    for name in ("LIFTLESS_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR"):
        if os.environ.get(name):
            return Path(os.environ[name])
    base = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(base) if base else Path.home() / ".cache") / "liftless"
    except RuntimeError:
        return None


def enable_cache(quiet: bool = False) -> Path | None:
    """Turn the cache on, or say that there is none; where it is."""
    folder = cache_directory()
    trouble = "there is no home directory"
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            trouble = "" if os.access(folder, os.W_OK | os.X_OK) else "it is not writable"
        except OSError as error:
            trouble = error.strerror or str(error)
    if trouble:
        if not quiet:
            note(f"note: no compilation cache in {folder}: {trouble}; set LIFTLESS_CACHE_DIR")
        return None
    import jax

    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return folder
