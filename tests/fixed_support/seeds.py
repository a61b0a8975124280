"""Properties of a range of seeds, each as one test."""

import functools
import inspect


def over_seeds(count):
    """Run a test for the seeds 0 .. count - 1; a failure names its seed."""

    def decorate(test):
        @functools.wraps(test)
        def looped(**fixtures):
            for seed in range(count):
                try:
                    test(seed=seed, **fixtures)
                except Exception as error:
                    error.add_note(f"with seed={seed}")
                    raise

        parameters = [p for p in inspect.signature(test).parameters.values() if p.name != "seed"]
        looped.__signature__ = inspect.Signature(parameters)
        return looped

    return decorate
