"""Before there is an environment: is this Python able to make one? Runs on any Python 3."""

import sys

LOWEST, HIGHEST = (3, 11), (3, 13)


def main() -> int:
    """Check version and venv; what is missing is said, with the command that brings it."""
    if not LOWEST <= sys.version_info[:2] <= HIGHEST:
        print(
            f"error: Python 3.11 to 3.13 is needed, {sys.executable} is {sys.version.split()[0]}; "
            "install one and run 'make PYTHON=python3.12 ...'",
            file=sys.stderr,
        )
        return 2
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        package = f"python3.{sys.version_info[1]}-venv"
        print(f"error: this Python cannot make environments: apt-get install {package}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
