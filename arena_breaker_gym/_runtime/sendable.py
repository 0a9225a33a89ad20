"""`sendable`: an exception on its way to another process."""

import pickle


def sendable(error: Exception) -> Exception:
    """The exception itself if it survives pickling, else one that says the same."""
    try:
        again = pickle.loads(pickle.dumps(error))  # nosec B301  # of this very process
        if type(again) is type(error) and str(again) == str(error):
            return error
    except Exception:  # nosec B110  # whatever it is, it cannot be pickled
        pass
    return RuntimeError(f"{type(error).__name__}: {error}")
