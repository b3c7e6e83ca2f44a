"""`python -m asr_gateway` and `triton-asr-gateway`."""

import signal


def console() -> None:
    """Run the command line of this process, and end the process."""
    interrupt = signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback while this is imported
    from asr_contract.entry import run_command

    signal.signal(signal.SIGINT, interrupt)
    run_command("asr_gateway.starting")


if __name__ == "__main__":
    console()
