"""Before there is an environment: is this Python able to make one? Runs on any Python 3."""

import os
import shutil
import subprocess
import sys

LOWEST, HIGHEST = (3, 11), (3, 13)


def main() -> int:
    """Check version and venv; install the venv package with apt where that is allowed."""
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
        apt = [] if os.geteuid() == 0 else ["sudo", "-n"]
        if shutil.which("apt-get") and (not apt or shutil.which("sudo")):
            done = subprocess.run([*apt, "apt-get", "install", "-y", "-q", package], check=False)
            if done.returncode == 0:
                return 0
        print(
            f"error: this Python cannot make environments; install {package} (apt-get install {package})",
            file=sys.stderr,
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
