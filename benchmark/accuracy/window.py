"""A window that shows pictures: Python's own Tk, since OpenCV's headless build has none."""

from __future__ import annotations

from model.foundation.errors import InputError
from model.geometry.letterbox import Pixels


class Window:
    """Shows one picture after the other, until it is closed or q or Escape is pressed.

    Attributes:
        closed: It shows nothing more.
    """

    def __init__(self, title: str, waits: bool) -> None:
        """
        Args:
            title: Of the window.
            waits: Each picture stays until a key or a click.

        Raises:
            InputError: there is no screen, or no Tk in this Python.
        """
        try:
            import tkinter
        except ImportError:
            raise InputError(
                "--show: this Python lacks Tk (apt-get install python3-tk); use --output"
            ) from None
        try:
            self._root = tkinter.Tk()
        except tkinter.TclError as error:
            raise InputError(f"--show: no window can be opened ({error}); use --output") from None
        self.closed, self._waits = False, waits
        self._seen = tkinter.BooleanVar(self._root)
        self._label = tkinter.Label(self._root)
        self._label.pack()
        self._root.title(title)
        self._root.protocol("WM_DELETE_WINDOW", self.close)
        for key in ("q", "<Escape>"):
            self._root.bind(key, lambda _: self.close())
        for event in ("<space>", "<Return>", "<Right>", "<Button-1>"):
            self._root.bind(event, lambda _: self._seen.set(True))

    def show(self, picture_rgb: Pixels) -> None:
        """Show uint8 RGB [H, W, 3]."""
        from PIL import Image, ImageTk

        self._shown = ImageTk.PhotoImage(Image.fromarray(picture_rgb), master=self._root)
        self._label.configure(image=self._shown)
        self._seen.set(False)
        self._root.update()
        if self._waits and not (self.closed or self._seen.get()):
            self._root.wait_variable(self._seen)

    def close(self) -> None:
        """Take the window away; a picture that is waited at is left."""
        if not self.closed:
            self.closed = True
            self._seen.set(True)
            self._root.destroy()
