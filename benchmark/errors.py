"""What can go wrong with a device, as one clear line each."""

from __future__ import annotations

from model.foundation.errors import InputError


class DeviceError(InputError):
    """A device cannot be used, or not any more. Finished measurements are kept; `--resume` goes on."""


class DeviceGoneError(DeviceError):
    """The connection to the device broke: unplugged, rebooted, out of battery or the adb server ended."""


class DeviceTimeoutError(DeviceError):
    """A command on the device gave no sign of life for too long."""


class DeviceFullError(DeviceError):
    """The device has no room for the files."""
